// From an empty list of connections to an exported file, as somebody goes who has only the web pages.
// Reads what it has to know as JSON from its input; writes what it has seen as JSON. Asserts nothing: the test does.
//
//   everything: also what takes longer: an unreachable host, a run that makes events, the emulator's page.
//   pictures: a folder for pictures of what was seen; none are taken without it.

import { text } from 'node:stream/consumers';
import { chromium } from 'playwright-core';
import { Airflow } from './airflow.mjs';
import { Pictures } from './screenshots.mjs';

// What Chromium asks of the Internet by itself is not there for it on a machine for tests.
const ARGUMENTS = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
  ...['--disable-background-networking', '--disable-component-update'],
  '--disable-lcd-text', // letters without coloured edges: small pictures
];
const CONSOLE = 'https://s3.console.aws.amazon.com/**';

const given = JSON.parse(await text(process.stdin));
const seen = {};

function step(words) {
  console.error(`${(performance.now() / 1000).toFixed(1)} s: ${words}`);
}

async function connect(airflow, pictures) {
  const { port } = new URL(given.emulator);
  step('a connection with a wrong key');
  await airflow.newConnection('ringevents_default', 'RingCentral Events');
  seen.form = await airflow.fields();
  await airflow.fill({ host: 'http://127.0.0.1', port, password: 'a-wrong-key' });
  await pictures.take('connection-form', { part: airflow.dialog, height: 960 });
  await airflow.showExtraFields();
  seen.extra = await airflow.fields();
  await airflow.save();
  seen.refused = await airflow.test();
  await pictures.take('connection-test-refused', { height: 420 });

  if (given.everything) {
    step('an unreachable host');
    await airflow.editConnection();
    await airflow.fill({ port: String(given.closed_port) });
    await airflow.save();
    seen.unreachable = await airflow.test();
  }

  step('the right key');
  await airflow.editConnection();
  await airflow.fill({ port, password: given.key });
  await airflow.showExtraFields();
  await airflow.fill({ element_organization_id: given.organization });
  await airflow.save();
  seen.accepted = await airflow.test();
  await pictures.take('connection-test', { height: 420 });
}

async function exportReport(airflow, pictures, context) {
  step('a run of the report export');
  const values = { event_id: given.event, destination: given.destination };
  seen.trigger = await airflow.trigger(given.export, values);
  await pictures.take('trigger-form', { part: airflow.dialog, height: 1000 });
  await airflow.submit();
  seen.states = await airflow.end();
  await pictures.take('run', { height: 560 });

  step('its log and its link');
  await airflow.task('export_report');
  seen.log = await airflow.log('Wrote ');
  await airflow.page.keyboard.press('w'); // wraps long lines
  await pictures.take('log', { height: 780 });
  seen.links = await airflow.links();
  await pictures.take('extra-links', { height: 480 });
  // The console is not on this machine: where the click leads is what counts.
  await context.route(CONSOLE, (route) => route.fulfill({ body: 'the console', contentType: 'text/html' }));
  const opened = await airflow.follow('Exported object');
  seen.followed = opened.url();
  await opened.close();
}

async function provision(airflow) {
  step('a run that makes events');
  await airflow.trigger(given.series, { template_id: given.template });
  await airflow.submit();
  seen.series_states = await airflow.end();
  await airflow.page.goto(`${airflow.page.url().replace(/\/$/, '')}/tasks/create_event/mapped/0`);
  seen.event_links = await airflow.links();
  const opened = await airflow.follow('RingCentral Events');
  seen.event_followed = opened.url();
  seen.event_row = await opened.locator('tr:target').innerText();
  await opened.close();
}

async function emulator(page, pictures) {
  step("the emulator's page");
  await page.goto(given.emulator);
  await page.getByRole('button', { name: 'Next download cut after 1,000 bytes' }).click();
  await page.getByRole('cell', { name: 'cut_body' }).waitFor();
  seen.emulator = await page.locator('h2').allInnerTexts();
  await pictures.take('emulator', { height: 900 });
}

const browser = await chromium.launch({ executablePath: given.chromium, args: ARGUMENTS });
const context = await browser.newContext({ colorScheme: 'light', viewport: { width: 1200, height: 760 } });
context.setDefaultTimeout(30_000);
const page = await context.newPage();
try {
  const airflow = new Airflow(page, given.airflow);
  const pictures = new Pictures(page, given.pictures);
  await connect(airflow, pictures);
  await exportReport(airflow, pictures, context);
  if (given.everything) {
    await provision(airflow);
    await emulator(page, pictures);
  }
  step('done');
} catch (error) {
  await page.screenshot({ path: given.failure });
  console.error(`${page.url()} is pictured in ${given.failure}`);
  throw error;
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
