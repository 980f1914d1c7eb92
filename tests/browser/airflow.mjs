// What a person does in Airflow's web pages. What the pages call things is said here and nowhere else.

const NOTE = 'Notifications'; // the region that holds the toasts

export class Airflow {
  constructor(page, url) {
    this.page = page;
    this.url = url;
    this.dialog = page.getByRole('dialog');
  }

  // Loads the page anew, which also takes away what an earlier step has left on it.
  async open(path) {
    await this.page.goto(this.url + path);
  }

  // --- connections

  // Opens the form for a new connection and returns what it shows.
  async newConnection(id, type) {
    await this.open('/connections');
    await this.page.getByRole('button', { name: 'Add Connection' }).click();
    await this.dialog.getByRole('textbox', { name: 'Connection ID' }).fill(id);
    await this.dialog.getByRole('combobox').click();
    await this.page.keyboard.type(type);
    await this.page.keyboard.press('Enter');
    await this.dialog.locator('input[name="element_organization_id"]').waitFor({ state: 'attached' });
  }

  async editConnection() {
    await this.open('/connections');
    await this.page.getByRole('button', { name: 'Edit Connection' }).click();
    await this.dialog.locator('input[name="password"]').waitFor();
  }

  // Every field that can be seen: label, placeholder, help. Asks the page, since labels are not all tied to inputs.
  async fields() {
    return this.dialog.locator('[data-scope="field"][data-part="root"]:visible').evaluateAll((groups) =>
      groups.map((group) => ({
        label: group.querySelector('label')?.textContent.replace('*', '').trim(),
        placeholder: group.querySelector('input, textarea')?.placeholder ?? '',
        help: group.querySelector('[data-part="helper-text"]')?.textContent ?? '',
        hidden: group.querySelector('input')?.type === 'password',
      })),
    );
  }

  async showExtraFields() {
    await this.dialog.getByRole('button', { name: 'Extra Fields', exact: true }).click();
    await this.dialog.locator('input[name="element_organization_id"]').waitFor();
  }

  async fill(values) {
    for (const [name, value] of Object.entries(values)) {
      await this.dialog.locator(`input[name="${name}"]`).fill(value);
    }
  }

  async save() {
    await this.dialog.getByRole('button', { name: 'Save' }).click();
    await this.dialog.waitFor({ state: 'hidden' });
  }

  // Presses Test in the list of connections; returns the words of the answer.
  async test() {
    await this.open('/connections');
    await this.page.getByRole('button', { name: 'Test Connection' }).click();
    const said = this.page.getByRole('region', { name: NOTE }).getByRole('status').filter({ hasText: 'Test Connection' });
    await said.waitFor({ timeout: 90_000 });
    return (await said.innerText()).split('\n');
  }

  // --- runs

  // Starts a run from the form and stays on its page.
  async trigger(dagId, values) {
    await this.open(`/dags/${dagId}`);
    await this.page.getByTestId('trigger-dag-button').click();
    await this.fill(Object.fromEntries(Object.entries(values).map(([name, value]) => [`element_${name}`, value])));
    const unpauses = await this.dialog.getByRole('checkbox', { name: 'Unpause' }).isChecked();
    return { unpauses, fields: await this.fields() };
  }

  async submit() {
    await this.page.getByTestId('trigger-dag-submit').click();
    await this.page.waitForURL(/\/runs\//);
  }

  // Waits until the run whose page is open has ended; returns the states that were shown, in their order.
  async end() {
    const badge = this.page.getByTestId('state-badge').first();
    const states = [];
    for (;;) {
      const state = await badge.innerText();
      if (state !== states.at(-1)) states.push(state);
      if (['Success', 'Failed'].includes(state)) return states;
      await this.page.waitForTimeout(250);
    }
  }

  async task(taskId) {
    await this.page.getByRole('table').getByRole('link', { name: taskId }).first().click();
    await this.page.getByRole('heading', { name: taskId }).waitFor();
  }

  async log(words) {
    const list = this.page.getByTestId('virtualized-list');
    await list.getByText(words).waitFor();
    return list.innerText();
  }

  // The extra links of the task whose page is open: name -> address.
  async links() {
    await this.page.getByRole('link', { name: 'Details', exact: true }).click();
    const head = this.page.getByRole('heading', { name: 'Extra Links' });
    await head.waitFor();
    return head.locator('..').getByRole('link').evaluateAll((links) =>
      Object.fromEntries(links.map((link) => [link.textContent, link.href])),
    );
  }

  // Follows an extra link; returns the page that opens.
  async follow(name) {
    const link = this.page.getByRole('link', { name, exact: true });
    const [opened] = await Promise.all([this.page.waitForEvent('popup'), link.click()]);
    await opened.waitForLoadState();
    return opened;
  }
}
