"""``airflow ringevents`` (Airflow 3.2 and later) and ``ringevents``: the same commands, by the same code."""
