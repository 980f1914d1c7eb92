"""The commands of ``ringevents`` and, on Airflow 3.2 and later, of ``airflow ringevents``."""
