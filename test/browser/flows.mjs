/* What people do in the dashboard, one function each. Run by test/py/test_pages.py:
 *   node flows.mjs FLOW '{"server": ..., "key": ..., ...}'  */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accessible, copied, fits, open, pressUntil, settled, signIn, tabTo } from './browser.mjs';

/** The message with the way back stands ten seconds, so nothing is waited for between it and the click. */
async function pauseAndUndo(page) {
  const changed = (active) => page.waitForResponse((r) => r.request().method() === 'PATCH' && r.ok() && r.request().postDataJSON().active === active);
  const undone = changed(true);
  await Promise.all([changed(false), page.getByRole('button', { name: 'Pause', exact: true }).click()]);
  await page.locator('.toast', { hasText: 'Paused. New deliveries are held.' }).getByRole('button', { name: 'Undo' }).click();
  await undone;
  await page.getByRole('button', { name: 'Pause', exact: true }).waitFor();
}

const flows = {
  /** Wrong keys are told why; a right one signs in, survives a reload, and signs out. */
  async signing_in({ page, server, key, tenantKey, context }) {
    await page.goto(server + '/ui/deliveries?status=failed');
    await accessible(page, 'signing in');
    const field = page.getByLabel('Operator’s key'), submit = page.getByRole('button', { name: 'Sign in' });
    for (const [wrong, words] of [['nobody has this key', 'unknown'], [tenantKey, 'tenant’s key']]) {
      await field.fill(wrong);
      await submit.click();
      await page.getByRole('alert').filter({ hasText: words }).waitFor();
    }
    await field.fill(key);
    await submit.click();
    await page.getByRole('heading', { name: 'Deliveries' }).waitFor(); // where the reader wanted to go
    assert.equal(new URL(page.url()).search, '?status=failed');
    const cookies = await context.cookies(server + '/v1/x');
    assert.ok(cookies[0].httpOnly && cookies[0].sameSite === 'Strict');
    assert.equal(await page.evaluate(() => document.cookie), '');
    assert.ok(!(await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]))).includes(key));
    await page.reload();
    await page.getByRole('heading', { name: 'Deliveries' }).waitFor();
    await page.getByRole('button', { name: /account/ }).click();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await field.waitFor();
    await page.reload();
    await field.waitFor();
  },

  /** A link signs in once, leaves no trace in the address, and leads to the page that it names. */
  async link({ page, server, token, delivery }) {
    await page.goto(`${server}/ui/deliveries/${delivery}?welcome=1#link=${token}`);
    await page.getByText('It works: refused once, tried again, delivered').waitFor();
    assert.equal(new URL(page.url()).hash, '');
    await page.getByRole('heading', { name: 'Delivered at the second attempt' }).waitFor();
    await page.getByRole('button', { name: /account/ }).click();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Operator’s key').waitFor();
    await page.goto(server + '/ui/missing-page');
    await page.goto(`${server}/ui/#link=${token}`);
    await page.getByText('This link was used already').waitFor();
  },

  /** Every page, in both themes and three widths: accessible, nothing cut off. */
  async every_page({ page, server, key, paths, scheme, width }) {
    await signIn(page, server, key);
    const wrong = [];
    for (const path of paths) {
      await page.goto(server + '/ui/' + path);
      await settled(page);
      await page.waitForTimeout(150);
      for (const look of [accessible, fits]) await look(page, `/ui/${path} (${scheme}, ${width})`).catch((e) => wrong.push(e.message));
    }
    assert.deepEqual(wrong, []);
  },

  /** Every item of every navigation is within the window, and within what it stands in. */
  async navigation({ page, server, key, paths, widths }) {
    await signIn(page, server, key);
    const wrong = [];
    for (const path of paths) {
      await page.goto(server + '/ui/' + path);
      await settled(page);
      for (const width of widths) {
        await page.setViewportSize({ width, height: 800 });
        const cut = await page.evaluate(() => [...document.querySelectorAll('nav a')].filter((a) => {
          const r = a.getBoundingClientRect(), n = /** @type {Element} */ (a.closest('nav')).getBoundingClientRect();
          return !r.width || r.left < -0.5 || r.right > innerWidth + 0.5 || r.left < n.left - 0.5 || r.right > n.right + 0.5 || r.bottom > n.bottom + 0.5;
        }).map((a) => a.textContent));
        if (cut.length) wrong.push(`/ui/${path} at ${width}: ${cut.join(', ')}`);
      }
    }
    assert.deepEqual(wrong, []);
  },

  /** An endpoint's source address and its part in traces: chosen, changed, taken back. */
  async origin({ page, server, key, target, tell }) {
    await signIn(page, server, key);
    await page.goto(server + '/ui/endpoints/new?tenant=default');
    await page.getByLabel('URL', { exact: true }).fill(target);
    await page.locator('summary', { hasText: 'Headers, metadata' }).click();
    assert.deepEqual(await page.getByLabel('Source address').locator('option').allInnerTexts(), ['any', 'office · 127.0.0.1', 'lab · 127.0.0.2']);
    await page.getByLabel('Source address').selectOption('lab');
    await page.getByLabel('Traces').selectOption('off');
    await accessible(page, 'source address and traces');
    await page.getByRole('button', { name: 'Create endpoint' }).click();
    await page.getByRole('link', { name: 'Go to the endpoint' }).click();
    await page.getByRole('link', { name: 'Edit' }).waitFor();
    const edit = page.url().replace(/\?|$/, (m) => '/edit' + m);
    await tell('lab off');
    await page.goto(edit);
    await page.getByText('Nothing changed').waitFor();
    assert.equal(await page.getByLabel('Source address').inputValue(), 'lab');
    assert.equal(await page.getByLabel('Traces').inputValue(), 'off');
    await page.getByLabel('Source address').selectOption('office');
    await page.getByLabel('Traces').selectOption('on');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('link', { name: 'Edit' }).waitFor();
    await tell('office on');
    await page.goto(edit);
    await page.getByText('Nothing changed').waitFor();
    await page.getByLabel('Source address').selectOption('');
    await page.getByLabel('Traces').selectOption('');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('link', { name: 'Edit' }).waitFor();
    await tell('null null');
  },

  /** The overview begins with the answer, and what needs somebody is worst first. */
  async overview({ page, server, key, failing }) {
    await signIn(page, server, key);
    await page.getByText('Two endpoints need you.').waitFor();
    const needs = page.getByRole('region', { name: 'Needs attention' }).getByRole('listitem');
    assert.equal(await needs.count(), 2);
    assert.match(await needs.first().innerText(), /Failing[\s\S]*Answers 503[\s\S]*waiting/);
    assert.match(await needs.nth(1).innerText(), /Disabled[\s\S]*410 Gone/);
    await page.getByRole('img', { name: /Attempts in each minute: \d+ succeeded and \d+ failed/ }).waitFor();
    await page.getByRole('img', { name: /Deliveries that wait: [\d,]+ at the end, [\d,]+ at the most/ }).waitFor();
    await page.getByRole('button', { name: 'As a table' }).click();
    await page.getByRole('columnheader', { name: '95 % within' }).waitFor();
    await page.getByRole('columnheader', { name: 'Waiting' }).waitFor();
    await page.getByRole('button', { name: 'As charts' }).click();
    let answer = () => {}; // the numbers of 24 hours come while a time is being chosen
    const asked = new Promise((go) => { answer = go; });
    await page.route(/v1\/stats\?.*step=1h/, async (route) => { await asked; await route.continue(); });
    await page.getByRole('link', { name: '24 h' }).click();
    await page.getByRole('region', { name: 'The last 24 hours' }).waitFor();
    await page.locator('.charts canvas').nth(2).waitFor(); // attempts, the share that failed, times
    const over = page.locator('.charts .u-over').first(), { width } = await over.boundingBox();
    await over.hover({ position: { x: width - 4, y: 40 } });
    const readout = page.locator('.plot-at').first();
    await readout.filter({ hasText: /succeeded 0/ }).waitFor();
    await page.mouse.down();
    await over.hover({ position: { x: width - 8, y: 40 } });
    answer();
    await page.getByText(/attempts, [\d.]+ % failed/).waitFor();
    await page.waitForTimeout(200); // time to draw, if it did
    await over.hover({ position: { x: width - 60, y: 40 } });
    await page.mouse.up();
    await page.waitForURL(/deliveries\?.*since=.*until=/);
    await page.unroute(/v1\/stats\?.*step=1h/);
    const chosen = new URL(page.url()).searchParams;
    assert.ok(Date.parse(chosen.get('until')) - Date.parse(chosen.get('since')) >= 2 * 3600e3, page.url());
    await page.getByRole('heading', { name: 'Deliveries' }).waitFor(); // there before one goes back
    await page.goBack();
    await page.waitForURL(/range=24h/);
    await needs.first().getByRole('link', { name: 'Recover…' }).click();
    await page.getByRole('heading', { name: 'Recovery', exact: true }).waitFor();
    assert.equal(new URL(page.url()).searchParams.get('endpoint'), failing);
    await page.getByText('It still fails').waitFor();
  },

  /** Made, its secret shown once; changed; paused and undone; rotated, revoked; tested; deleted. */
  async endpoint({ page, server, key, target }) {
    await signIn(page, server, key);
    await page.getByRole('link', { name: 'Endpoints' }).first().click();
    await page.getByRole('link', { name: 'New endpoint' }).click();
    await page.getByLabel('URL').fill('nonsense://x');
    await page.getByText('Would it be taken?').waitFor();
    await page.locator('aside .bad', { hasText: 'url' }).waitFor();
    await page.getByLabel('URL').fill(target);
    await page.getByLabel('Description').fill('of a test');
    await page.getByLabel('Another type or pattern').fill('invoice.*');
    await page.getByRole('button', { name: 'Add' }).click();
    await page.locator('aside .good').waitFor();
    await page.getByLabel('Filter').fill('$[?@.data.amount >= 100 & @.data.paid]');
    await page.locator('#fi-f').waitFor(); // what is wrong with it, at its field
    await page.getByLabel('Filter').fill('$[?@.data.amount >= 100]');
    await page.locator('aside .good').waitFor();
    await accessible(page, 'the form');
    await page.getByRole('button', { name: 'Create endpoint' }).click();
    const secret = await page.locator('.secretbox code').innerText();
    assert.match(secret, /^whsec_/);
    await accessible(page, 'the secret');
    assert.ok(!page.url().includes(secret.slice(6, 20)));
    await page.getByLabel('I have stored it').check();
    await page.getByRole('link', { name: 'Go to the endpoint' }).click();
    await page.getByText('of a test').waitFor();
    const url = page.url();

    await pauseAndUndo(page);

    await page.getByRole('link', { name: 'Edit' }).click();
    await page.getByLabel('Description').fill('another text');
    await page.getByLabel('Requests at the same time').fill('3');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('3 at most').waitFor();
    await page.getByText('$[?@.data.amount >= 100]').waitFor();
    await page.getByText('another text').waitFor();

    await page.getByRole('button', { name: 'Show the current secret' }).click();
    await page.getByText(secret).waitFor();
    await page.getByRole('button', { name: 'Rotate…' }).click();
    await accessible(page, 'the dialog');
    await page.getByRole('button', { name: 'Rotate', exact: true }).click();
    const second = await page.locator('dialog code').first().innerText();
    assert.ok(second.startsWith('whsec_') && second !== secret);
    await page.getByRole('button', { name: 'I have stored it' }).click();
    await page.getByRole('button', { name: 'Revoke old…' }).click();
    await page.getByRole('button', { name: 'Revoke 1 secret' }).click();
    await page.getByRole('button', { name: 'Revoke old…' }).waitFor({ state: 'detached' });

    await page.getByRole('button', { name: 'Send a test' }).click();
    await page.getByRole('region', { name: 'Test', exact: true }).getByText(/^200 in \d+ ms$/).waitFor(); // not the line of the page's own request
    await page.getByRole('link', { name: 'Verify', exact: true }).click();
    await page.getByRole('tab', { name: 'Python' }).click();
    await page.getByText('import base64, hashlib').waitFor();
    assert.equal(new URL(page.url()).searchParams.get('lang'), 'python');
    await page.goto(url + (url.includes('?') ? '&' : '?') + 'view=danger');
    await page.getByRole('button', { name: 'Delete…' }).click();
    await page.getByRole('button', { name: 'Delete 1 endpoint' }).click();
    await page.getByRole('heading', { name: 'Endpoints' }).waitFor();
    await page.goto(url);
    await page.getByText('There is no such endpoint').waitFor();
  },

  /** Filters stand in the address and survive; rows are loaded as one scrolls; new ones come by themselves. */
  async deliveries({ page, server, key, tell }) {
    await signIn(page, server, key);
    await page.goto(server + '/ui/deliveries');
    const rows = page.locator('tr[data-href]');
    await rows.first().waitFor();
    await page.getByText('Live: new rows on top').waitFor();
    await tell('publish'); // one more, by the test
    await page.locator('tr.new').first().waitFor();
    const before = await rows.count();
    assert.ok(before >= 50, String(before));
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    await page.waitForFunction((n) => document.querySelectorAll('tr[data-href]').length > n, before);
    await page.waitForFunction(() => { scrollTo(0, document.body.scrollHeight); return document.body.innerText.includes('newer rows above'); }, undefined, { polling: 120 });
    assert.ok((await rows.count()) <= 200, 'at most 200 rows in the page');

    await page.goto(server + '/ui/deliveries');
    await page.getByLabel('Status').selectOption('failed,retrying');
    await page.getByLabel('From').fill('2h');
    await page.waitForURL(/since=2h/);
    await page.getByLabel('Outcome').selectOption('5xx');
    await page.waitForURL(/outcome=5xx/);
    await page.waitForFunction(() => [...document.querySelectorAll('tr[data-href] .st')].every((s) => /Retrying|Failed/.test(s.textContent)) && document.querySelector('tr[data-href]'));
    const shown = await rows.count();
    await page.reload();
    await rows.first().waitFor();
    assert.equal(await rows.count(), shown);
    assert.equal(await page.getByLabel('From').inputValue(), '2h');
    await rows.first().click();
    await page.getByRole('heading', { name: /Answered 503/ }).waitFor();
    await page.goBack();
    await page.waitForURL(/since=2h/);
    await page.getByLabel('From').fill('sometime');
    await page.getByText('“sometime” is no time.').waitFor();
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.waitForFunction(() => !location.search.includes('status'));
    await page.locator('.req .q').getByText(/\/v1\/deliveries\?all_tenants=true&limit=50$/).waitFor(); // what this list was filled by, not the one before
    await page.getByRole('button', { name: 'Copy as curl' }).click();
    await copied(page, /^curl -sS "\$API\/v1\/deliveries\?all_tenants=true&limit=50" -H "Authorization: Bearer \$KEY"/);
  },

  /** Sent and answered side by side, attempt by attempt; what is due counts down; it is sent again. */
  async viewer({ page, server, key, retrying, delivered, tell }) {
    await signIn(page, server, key);
    await page.goto(`${server}/ui/deliveries/${retrying}`);
    await page.getByRole('heading', { name: /Answered 503\. Next attempt in/ }).waitFor();
    const first = await page.locator('.clock').first().innerText();
    await page.waitForFunction((t) => document.querySelector('.clock')?.textContent !== t, first);
    await page.getByRole('button', { name: 'Try now' }).click();
    await page.getByText('It goes out now.').waitFor();
    await page.getByRole('region', { name: 'Attempts', exact: true }).getByText('Second').waitFor(); // by the stream
    await page.goto(`${server}/ui/deliveries/${delivered}`);
    await page.getByRole('heading', { name: 'Delivered at the second attempt' }).waitFor();
    const sent = page.getByRole('region', { name: 'Sent' }), answered = page.getByRole('region', { name: 'Answered' });
    await sent.getByText('webhook-signature').waitFor();
    await answered.getByText('200').first().waitFor();
    await page.getByRole('region', { name: 'The signature, step by step' }).getByText('HMAC with SHA-256').waitFor();
    await pressUntil(page, ['['], () => page.waitForURL(/attempt=1/, { timeout: 2000 }));
    await answered.getByText('503').first().waitFor();
    await page.reload();
    await answered.getByText('503').first().waitFor();
    await page.getByRole('button', { name: 'Send again…' }).click();
    await page.getByRole('button', { name: 'Send 1 again' }).click();
    await page.getByRole('heading', { name: 'Delivered at the third attempt' }).waitFor();
    await tell('seen');
  },

  /** "Everything that failed since then": counted, sent, followed to its end. */
  async recovery({ page, server, key, endpoint }) {
    await signIn(page, server, key);
    await page.goto(`${server}/ui/recovery?endpoint=${endpoint}&since=1h&status=delivered`);
    const button = page.getByRole('button', { name: /^Send \d+ again$/ });
    await button.waitFor();
    const count = Number(/\d+/.exec(await button.innerText())[0]);
    assert.ok(count > 0);
    await accessible(page, 'a new recovery');
    await button.click();
    await page.getByRole('dialog').getByRole('button', { name: `Send ${count} again` }).click(); // more than a hundred
    await page.getByText(`${count} of ${count} are out. Done.`).waitFor();
    await accessible(page, 'a recovery');
    await page.getByRole('link', { name: 'All recoveries' }).click();
    await page.getByRole('cell', { name: `${count} of ${count}` }).waitFor();
  },

  /** Tenants, keys, sessions, values. */
  async administration({ page, server, key, target }) {
    await signIn(page, server, key);
    await page.getByRole('link', { name: 'Tenants' }).click();
    await page.getByRole('button', { name: 'New tenant' }).click();
    await page.locator('#ti').fill('initech');
    await page.locator('#tn').fill('Initech');
    await page.locator('#td').selectOption('taskboard');
    await accessible(page, 'a new tenant');
    await page.getByRole('button', { name: 'Create tenant' }).click();
    await page.getByRole('heading', { name: 'Initech' }).waitFor();
    await page.getByRole('button', { name: 'New key…' }).click();
    await page.locator('#kd').fill('backend');
    await page.getByRole('button', { name: 'Make the key' }).click();
    const made = await page.locator('dialog .copyline code').innerText();
    assert.match(made, /^th_key_/);
    await page.getByRole('button', { name: 'I have stored it' }).click();
    await page.getByRole('button', { name: /^End key/ }).click();
    await page.getByRole('button', { name: 'End 1 key' }).click();
    await page.getByText('None. The operator’s key acts for the tenant.').waitFor();
    // an endpoint of a vendor's dialect has the same form
    await page.goto(server + '/ui/endpoints/new?tenant=initech');
    await page.getByLabel('URL').fill(target);
    await page.getByLabel('task.created').check();
    await page.getByRole('button', { name: 'Create endpoint' }).click();
    await page.locator('.secretbox code').waitFor();
    await page.getByRole('link', { name: 'Settings' }).click();
    await page.getByRole('button', { name: 'New key…' }).click();
    await page.locator('#kn').fill('Ana');
    await page.getByRole('button', { name: 'Make the key' }).click();
    assert.match(await page.locator('dialog .copyline code').innerText(), /^th_op_/);
    await page.getByRole('button', { name: 'I have stored it' }).click();
    await page.getByRole('cell', { name: 'Ana', exact: true }).waitFor();
    await page.getByRole('link', { name: 'Signed in' }).click();
    await page.getByText('this one').waitFor();
    await page.getByRole('link', { name: 'Audit log' }).click();
    await page.getByRole('button', { name: 'Clear' }).click(); // the chosen tenant
    await page.getByRole('cell', { name: /^create operator key/ }).first().waitFor();
    await page.getByLabel('Operation').fill('deleteKey');
    await page.waitForURL(/operation=deleteKey/);
    await page.waitForFunction(() => [...document.querySelectorAll('tbody tr')].length && [...document.querySelectorAll('tbody tr')].every((r) => /delete key/.test(r.textContent)));
    await page.getByRole('link', { name: 'Nodes' }).click();
    await page.getByText('this one').waitFor();
    await page.getByRole('link', { name: 'Values in force' }).click();
    await page.getByText('(set, not shown)').first().waitFor();
    assert.ok(!(await page.content()).includes(key));
    await page.goto(server + '/ui/tenants/initech');
    await page.getByRole('button', { name: 'Delete…' }).click();
    await page.getByRole('button', { name: 'Delete 1 tenant' }).click();
    await page.getByRole('heading', { name: 'Tenants' }).waitFor();
  },

  /** What a role may not do is not offered. */
  async roles({ page, server, keys, endpoint, delivered }) {
    for (const role of ['read-only', 'support']) {
      await signIn(page, server, keys[role]);
      await page.goto(`${server}/ui/endpoints/${endpoint}`);
      await page.getByRole('region', { name: 'Settings' }).waitFor();
      for (const name of ['Pause', 'Rotate…']) assert.equal(await page.getByRole('button', { name }).count(), 0, `${role} ${name}`);
      assert.equal(await page.getByRole('link', { name: 'Edit' }).count(), 0);
      assert.equal(await page.getByRole('button', { name: 'Send a test' }).count(), role === 'support' ? 1 : 0);
      await page.getByText('Your role does not show secrets.').waitFor();
      await page.goto(`${server}/ui/deliveries/${delivered}`);
      await page.getByRole('heading', { name: /^Delivered at/ }).waitFor();
      assert.equal(await page.getByRole('button', { name: 'Send again…' }).count(), role === 'support' ? 1 : 0);
      await page.goto(`${server}/ui/settings`);
      await page.getByRole('heading', { name: 'Operators’ keys' }).waitFor();
      assert.equal(await page.getByRole('button', { name: 'New key…' }).count(), 0);
      assert.equal(await page.getByRole('link', { name: 'Values in force' }).count(), 0);
      await page.getByRole('button', { name: /account/ }).click();
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByLabel('Operator’s key').waitFor();
    }
  },

  /** Without a pointer: from signing in to sending again. */
  async keyboard({ page, server, key }) {
    const press = async (...all) => { for (const k of all) await page.keyboard.press(k); };
    await page.goto(server + '/ui/');
    await page.getByLabel('Operator’s key').waitFor();
    for (let i = 0; i < 5 && !(await page.evaluate(() => document.activeElement?.id === 'key')); i++) await press('Tab');
    await page.keyboard.type(key);
    await press('Enter');
    await page.getByRole('navigation', { name: 'Sections' }).waitFor();
    const seen = (...what) => () => page.getByRole(...what).waitFor({ timeout: 2000 });
    await pressUntil(page, ['?'], seen('dialog', { name: 'Keyboard' }));
    await press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await pressUntil(page, ['g', 'd'], seen('heading', { name: 'Deliveries' }));
    await page.locator('tr[data-href]').first().waitFor();
    await press('j', 'j', 'k');
    assert.equal(await page.locator('tr.cur').count(), 1);
    assert.ok(await page.locator('tr[data-href]').first().evaluate((r) => r.classList.contains('cur') && r.contains(document.activeElement)));
    await press('Enter');
    await page.getByRole('region', { name: 'Attempts', exact: true }).waitFor();
    await page.locator('[data-key=c]').first().waitFor();
    await press('c');
    await copied(page, /v1\/deliveries\//);
    await pressUntil(page, ['g', 'e'], seen('heading', { name: 'Endpoints' }));
    await press('/');
    assert.ok(await page.evaluate(() => document.activeElement?.type === 'search'));
    await page.keyboard.type('globex');
    await press('Enter');
    await page.waitForURL(/tenants\/globex/);
    // single keys can be switched off
    await page.evaluate(() => document.activeElement?.blur());
    await press('?');
    await page.getByLabel('Single keys do this').uncheck();
    await press('Escape');
    await press('g', 'd');
    await page.waitForTimeout(300);
    assert.match(page.url(), /tenants\/globex/);
  },

  /** Without a pointer: an endpoint is made, changed, tested, given a new secret, and deleted. */
  async keyboard_forms({ page, server, key, target }) {
    const press = async (...all) => { for (const k of all) await page.keyboard.press(k); };
    const button = (name) => page.getByRole('button', { name, exact: true });
    await page.goto(server + '/ui/endpoints');
    await tabTo(page, page.getByLabel('Operator’s key'));
    await page.keyboard.type(key);
    await press('Enter');
    await tabTo(page, page.getByRole('link', { name: 'New endpoint' }));
    await press('Enter');
    await tabTo(page, page.getByLabel('URL'));
    await page.keyboard.type(target);
    await tabTo(page, page.getByLabel('Another type or pattern'));
    await page.keyboard.type('invoice.*');
    await press('Enter');
    await page.getByRole('button', { name: 'Remove invoice.*' }).waitFor(); // taken, and the form is not sent
    await tabTo(page, button('Create endpoint'));
    await press('Enter');
    await page.locator('.secretbox code').waitFor();
    await tabTo(page, page.getByLabel('I have stored it'));
    await press('Space');
    await tabTo(page, page.getByRole('link', { name: 'Go to the endpoint' }));
    await press('Enter');
    await tabTo(page, button('Pause'));
    await press('Enter');
    await button('Resume').waitFor();
    await tabTo(page, button('Resume'));
    await press('Space');
    await button('Pause').waitFor();
    await tabTo(page, button('Rotate…'));
    await press('Enter');
    const dialog = page.getByRole('dialog');
    await dialog.waitFor();
    assert.ok(await dialog.evaluate((d) => d.contains(document.activeElement) && document.activeElement.id === 'ov'), 'the first field has the focus');
    for (let i = 0; i < 12; i++) { // nothing behind the dialog can be reached
      await press('Tab');
      assert.ok(await dialog.evaluate((d) => d.contains(document.activeElement) || document.activeElement === document.body));
    }
    await press('Escape');
    await dialog.waitFor({ state: 'detached' });
    assert.ok(await button('Rotate…').evaluate((b) => b === document.activeElement), 'focus is back where it was');
    await tabTo(page, button('Send a test'));
    await press('Enter');
    await page.getByRole('region', { name: 'Test', exact: true }).getByText(/^200 in \d+ ms$/).waitFor(); // not the line of the page's own request
    await tabTo(page, page.getByRole('link', { name: 'Verify', exact: true }));
    await press('Enter');
    await tabTo(page, page.getByRole('tab', { name: 'Node.js' }));
    await press('ArrowRight');
    await page.waitForURL(/lang=/);
    assert.ok(await page.evaluate(() => document.activeElement.getAttribute('role') === 'tab' && document.activeElement.getAttribute('aria-selected') === 'true'));
    await page.goto(page.url().replace(/\?.*/, '?tenant=default&view=danger'));
    await tabTo(page, button('Delete…'));
    await press('Enter');
    assert.ok(await button('Cancel').evaluate((b) => b === document.activeElement), 'what does no harm has the focus');
    await tabTo(page, button('Delete 1 endpoint'));
    await press('Enter');
    await page.getByRole('heading', { name: 'Endpoints' }).waitFor();
  },

  /** The portal without a pointer: an endpoint is added, a delivery is opened and sent again, the endpoint is deleted. */
  async keyboard_portal({ page, link, target, tell }) {
    const press = async (...all) => { for (const k of all) await page.keyboard.press(k); };
    const button = (name) => page.getByRole('button', { name, exact: true });
    await page.goto(link);
    await page.getByRole('heading', { name: 'Webhooks' }).waitFor();
    await tabTo(page, page.getByRole('link', { name: 'Add endpoint' }));
    await press('Enter');
    await tabTo(page, page.getByLabel('URL'));
    await page.keyboard.type(target);
    await tabTo(page, button('Add endpoint'));
    await press('Enter');
    await page.locator('.secretbox code').waitFor();
    await tell('publish');
    await tabTo(page, page.getByRole('link', { name: 'Deliveries' }).first());
    await press('Enter');
    await tabTo(page, page.getByRole('link', { name: 'invoice.paid' }).first());
    await press('Enter');
    await page.getByRole('heading', { name: /^Delivered\. Attempts: 1/ }).waitFor();
    await tabTo(page, button('Send again…'));
    await press('Enter');
    await page.getByRole('dialog').waitFor();
    await tabTo(page, button('Send 1 again'));
    await press('Enter');
    await page.getByRole('heading', { name: /^Delivered\. Attempts: 2/ }).waitFor();
    await tabTo(page, page.getByRole('link', { name: 'Endpoints' }).first());
    await press('Enter');
    await tabTo(page, page.locator('tr[data-href] a').first());
    await press('Enter');
    await tabTo(page, button('Pause'));
    await press('Enter');
    await button('Resume').waitFor();
    await tabTo(page, page.getByRole('link', { name: 'Delete', exact: true }));
    await press('Enter');
    await tabTo(page, button('Delete…'));
    await press('Enter');
    await tabTo(page, button('Delete 1 endpoint'));
    await press('Enter');
    await page.getByText('None yet.').waitFor();
  },

  /** "Why does a signature not verify?": a request as a server got it verifies; changed, or with another secret, the page says what is
   * wrong; and it shows no secret. In the dashboard (with a key) or the portal (with a link). */
  async explain({ page, server, key, link, endpoint, request, secret }) {
    if (key) {
      await signIn(page, server, key);
      await page.goto(`${server}/ui/endpoints/${endpoint}?view=verify`);
    } else {
      await page.goto(link);
      await page.locator('tr[data-href*="endpoints/"]').first().click();
      await page.getByRole('link', { name: 'Verify', exact: true }).click();
    }
    const panel = page.getByRole('region', { name: 'Why does a signature not verify?' }), explain = panel.getByRole('button', { name: 'Explain' });
    await panel.getByLabel('Request').fill(request);
    await explain.click();
    await panel.getByText('This request verifies.').waitFor();
    const marks = panel.locator('.explained li');
    assert.ok((await marks.count()) >= 3 && (await marks.filter({ hasText: 'wrong' }).count()) === 0);
    await accessible(page, 'a request that verifies');
    await panel.getByLabel('Request').fill(request.replace(/\n\n[^]*$/, '\n\n{"another":"body"}'));
    await explain.click();
    await panel.getByText(/This request is refused: /).waitFor();
    await marks.filter({ hasText: 'wrong' }).first().waitFor();
    await accessible(page, 'a request that is refused');
    await panel.getByLabel('Request').fill(request);
    await panel.getByLabel('Secret of your receiver').fill('whsec_' + btoa('another secret, and long enough'));
    await explain.click();
    await panel.getByText(/This request is refused: /).waitFor();
    await panel.getByLabel('Secret of your receiver').fill(secret);
    await explain.click();
    await panel.getByText('This request verifies.').waitFor();
    await panel.getByLabel('When it arrived').fill('2020-01-01T00:00:05');
    await explain.click();
    await panel.getByText(/This request is refused: /).waitFor();
    assert.ok(!(await panel.innerText()).includes(secret.slice(6)), 'no secret in what is said');
    await panel.getByLabel('Request').fill('nothing like a request');
    await panel.getByLabel('When it arrived').fill('');
    await explain.click();
    await panel.getByText(/This request is refused: /).waitFor();
    await fits(page, 'what was explained');
  },

  /** Where no tenant is chosen, lists and streams show all of them; and endpoints show their last two hours. */
  async all_tenants({ page, server, key, tell }) {
    await signIn(page, server, key);
    await page.goto(server + '/ui/endpoints');
    await page.getByRole('img', { name: /^0 of \d\d+ attempts failed in two hours|^1 of \d\d+ attempts failed/ }).waitFor();
    const failing = page.locator('tr[data-href]', { hasText: 'Failing' });
    await failing.getByRole('img', { name: /^(\d+) of \1 attempts failed in two hours$/ }).waitFor();
    assert.ok((await failing.locator('.spark .no').count()) > 0 && (await failing.locator('.spark .ok').count()) === 0);
    for (const [path, type] of [['deliveries', 'evil.event'], ['events', 'evil.event']]) {
      await page.goto(`${server}/ui/${path}`);
      const row = (tenant) => page.locator('tr.new', { hasText: type }).filter({ hasText: tenant });
      await page.locator('tr[data-href]', { hasText: 'globex' }).first().waitFor();
      await page.getByText('Live: new rows on top').waitFor();
      await tell('publish in globex');
      await row('globex').first().waitFor(); // by the stream
      assert.equal(new URL(page.url()).search, '');
      await accessible(page, `${path} of all tenants`);
      await row('globex').first().getByRole('link').first().click();
      await page.waitForURL(/tenant=globex/);
      await page.goto(`${server}/ui/${path}`);
      await page.locator('.scope select').selectOption('default');
      await page.waitForURL(/tenant=default/);
      await page.locator('tr[data-href]').first().waitFor();
      assert.equal(await page.locator('tr[data-href]', { hasText: 'evil.event' }).count(), 0);
    }
  },

  /** More comes than can be shown: the page says how many, and offers the list. */
  async burst({ page, server, key, tell }) {
    await signIn(page, server, key);
    for (const path of ['deliveries', 'events']) {
      await page.goto(`${server}/ui/${path}`);
      await page.getByText('Live: new rows on top').waitFor();
      await tell('publish many');
      const told = page.locator('.hint', { hasText: /^[\d,]+ more came than can be shown as it happens\. / });
      await told.waitFor();
      await accessible(page, `${path} of which some are not shown`);
      for (let calm = 0; calm < 2;) { // a further notice may come while the list is loaded
        calm = (await told.count()) ? 0 : calm + 1;
        if (!calm) await told.getByRole('button', { name: 'Load it again' }).click({ timeout: 5000 }).catch(() => {});
        await page.waitForTimeout(1500);
      }
    }
  },

  /** Script in everything that customers and their servers can write: shown as text. */
  async planted({ page, server, key, paths, texts, faults }) {
    await signIn(page, server, key);
    let seen = '';
    for (const [path, pause] of [300, 2000, 8000].flatMap((pause) => paths.map((path) => [path, pause]))) { // parts of a page come later; how much later nobody knows
      if (pause > 300 && [...texts, '\\u202e'].every((text) => seen.includes(text))) break;
      await page.goto(server + '/ui/' + path);
      await settled(page);
      await page.waitForTimeout(pause);
      seen += await page.locator('body').innerText();
      assert.equal(await page.locator('main img, main iframe, main b[onclick], main script, main a[href^="javascript:"]').count(), 0, path);
      assert.ok(!(await page.title()).includes('PWNED'), path);
    }
    for (const text of texts) assert.ok(seen.includes(text), `nowhere shown: ${text}`);
    assert.ok(seen.includes('\\u202e'), 'a character that turns the line round is written out');
  },

  /** Where the server does not answer, what was right stays, and says that it is not live. */
  async gone({ page, server, key, tell }) {
    await signIn(page, server, key);
    await page.goto(server + '/ui/deliveries');
    await page.locator('tr[data-href]').first().waitFor();
    await page.getByText('Live: new rows on top').waitFor();
    const rows = await page.locator('tr[data-href]').count();
    await tell('stop');
    await page.getByText(/Not live: as of/).waitFor();
    assert.equal(await page.locator('tr[data-href]').count(), rows);
    await page.getByRole('link', { name: 'Tenants' }).click();
    await page.getByText(/could not be loaded/).first().waitFor();
  },

  /** The first page: how many bytes, and how many requests. */
  async size({ page, server, key }) {
    await signIn(page, server, key);
    await page.goto(server + '/ui/');
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    await settled(page);
    await page.waitForFunction(() => performance.getEntriesByType('resource').some((e) => e.name.endsWith('/ui/pages/overview.js')));
    const loaded = await page.evaluate(() => [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].filter((e) => new URL(e.name).pathname.startsWith('/ui/')).map((e) => [new URL(e.name).pathname, e.encodedBodySize]));
    console.log(JSON.stringify(loaded));
  },

  /** The portal, from its link to a delivery that is sent again; the token stands nowhere but in the page. */
  async portal({ page, context, server, links, target, tell }) {
    const asked = [];
    page.on('request', (r) => asked.push(r));
    await page.goto(links.manage);
    await page.getByRole('heading', { name: 'Webhooks' }).waitFor();
    assert.equal(new URL(page.url()).hash, '');
    const kept = await page.evaluate(async () => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, history.state, await indexedDB.databases()]));
    assert.equal(kept, '[{},{},"",null,[]]');
    assert.deepEqual(await context.cookies(server + '/v1/x'), []);
    assert.ok(asked.every((r) => !r.url().includes('th_p')), 'no token in any address');
    await page.getByRole('link', { name: 'Back to Tallyworks' }).waitFor();
    assert.equal(await page.getByRole('link', { name: 'Back to Tallyworks' }).getAttribute('href'), 'https://app.example.com/settings');
    await accessible(page, 'the portal');
    // add an endpoint, see its secret once, send a test
    await page.getByRole('link', { name: 'Event types' }).click(); // the catalogue that the operator keeps
    await page.getByRole('heading', { name: 'invoice.paid' }).waitFor();
    assert.equal(await page.getByText('Paid in full').count(), 1);
    assert.equal(await page.getByText('old.type').count(), 0); // archived
    await page.getByText('Example', { exact: true }).click();
    await page.getByText('"amount": 12.5').waitFor();
    await page.getByRole('link', { name: 'Endpoints' }).first().click();
    await page.getByRole('link', { name: 'Add endpoint' }).click();
    await page.getByRole('checkbox', { name: /invoice\.paid.*Paid in full/s }).waitFor();
    await page.getByLabel('URL').fill('nonsense://x');
    await page.getByRole('button', { name: 'Add endpoint' }).click();
    await page.locator('#url[aria-invalid=true]').waitFor();
    await page.getByLabel('URL').fill(target);
    await page.getByLabel('Description').fill('mine');
    await page.getByLabel('Another type or pattern').fill('invoice.*');
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Add endpoint' }).click();
    await page.getByRole('heading', { name: 'The endpoint is there' }).waitFor();
    assert.match(await page.locator('.secretbox code').innerText(), /^whsec_/);
    await accessible(page, 'a new endpoint in the portal');
    await page.getByRole('link', { name: 'Go to the endpoint' }).click();
    await page.getByRole('button', { name: 'Send a test' }).click();
    await page.getByText(/200 in \d+ ms/).waitFor();
    assert.equal(await page.getByRole('region', { name: 'Secrets' }).count(), 0, 'without the scope no secrets');
    await page.getByRole('link', { name: 'Verify' }).click();
    await page.getByText("createHmac('sha256', key)").waitFor();
    // pause with undo
    await pauseAndUndo(page);
    // change
    await page.getByRole('link', { name: 'Edit' }).click();
    await page.getByLabel('Description').fill('changed');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('changed', { exact: true }).waitFor();
    // an event comes by itself; look at it, send it again
    await tell('publish');
    await page.getByRole('link', { name: 'Deliveries' }).first().click();
    await page.getByRole('link', { name: 'invoice.paid' }).first().click();
    await page.getByRole('heading', { name: /^Delivered\. Attempts: 1/ }).waitFor();
    await page.getByRole('region', { name: 'Sent' }).getByText('webhook-signature').waitFor();
    await accessible(page, 'a delivery in the portal');
    await page.getByRole('button', { name: 'Send again…' }).click();
    await page.getByRole('button', { name: 'Send 1 again' }).click();
    await page.getByRole('heading', { name: /^Delivered\. Attempts: 2/ }).waitFor();
    await page.getByRole('link', { name: 'Events' }).first().click();
    await page.getByRole('link', { name: 'invoice.paid' }).first().click();
    await page.getByRole('region', { name: 'Data' }).first().waitFor();
    // replay
    await page.getByRole('link', { name: 'Endpoints' }).first().click();
    await page.locator('tr[data-href*="endpoints/"]').first().click();
    await page.getByRole('button', { name: 'Send again…' }).click();
    await page.getByLabel('Also what has arrived').check();
    await page.getByRole('button', { name: /^Send [1-9]/ }).click();
    await page.getByText(/are on their way/).waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).last().click();
    await page.getByRole('link', { name: 'Delete' }).click();
    await page.getByRole('button', { name: 'Delete…' }).click();
    await page.getByRole('button', { name: 'Delete 1 endpoint' }).click();
    await page.getByText('None yet.').waitFor();
    // loaded again: nothing is left, and the link is used up
    await page.reload();
    await page.getByRole('heading', { name: 'Open this page from your account' }).waitFor();
    await accessible(page, 'a portal without a link');
    await page.goto('about:blank');
    await page.goto(links.manage);
    await page.getByRole('heading', { name: 'This link was used already' }).waitFor();
    // its end is told where one is
    await page.goto('about:blank');
    await page.goto(links.look);
    await page.getByRole('heading', { name: 'Webhooks' }).waitFor();
    assert.equal(await page.getByRole('link', { name: 'Add endpoint' }).count(), 0);
    await tell('end');
    await page.evaluate(() => document.querySelector('a[href="/portal/events"]')?.click()); // unless a stream has told it already
    await page.getByRole('heading', { name: 'You were signed out' }).waitFor();
    // secrets, in German
    await page.goto('about:blank');
    await page.goto(links.secrets);
    await page.getByRole('heading', { name: 'Webhooks' }).waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'de');
    await page.locator('tr[data-href*="endpoints/"]').first().click();
    await page.getByRole('region', { name: 'Geheimnisse' }).getByRole('button', { name: 'Erneuern…' }).click();
    await page.getByRole('button', { name: 'Erneuern', exact: true }).click();
    await page.getByRole('dialog', { name: 'Das neue Geheimnis' }).locator('code').first().waitFor();
    await accessible(page, 'a rotated secret in the portal');
  },

  /** Every page of the portal, in a theme, in both languages and from right to left. */
  async portal_pages({ page, links, paths, scheme, width }) {
    const wrong = [];
    for (const [i, link] of links.entries()) {
      await page.goto('about:blank');
      await page.goto(link);
      await page.getByRole('navigation').first().waitFor();
      if (i === links.length - 1) await page.evaluate(() => { document.documentElement.dir = 'rtl'; });
      for (const path of paths) {
        await page.evaluate((p) => { history.pushState(null, '', '/portal/' + p); dispatchEvent(new PopStateEvent('popstate')); }, path);
        await page.waitForTimeout(60);
        await page.waitForFunction(() => document.querySelector('main h1') && !document.querySelector('[aria-busy=true]'));
        await page.waitForTimeout(100);
        for (const look of [accessible, fits]) await look(page, `/portal/${path} (${scheme}, ${width}, ${i})`).catch((e) => wrong.push(e.message));
      }
    }
    assert.deepEqual(wrong, []);
  },

  /** In a frame of the platform: height, place and end are told to exactly that page; a page of another origin gets no frame and no word. */
  async portal_framed({ page, context, server, host, stranger, link, browserFaults }) {
    await page.goto(host + '/host');
    await page.waitForFunction(() => window.seen.some((m) => m[0] === 'tenterhook-ready'));
    const frame = () => page.frames().find((f) => f.url().includes('/portal/'));
    await frame().getByRole('heading', { name: 'Webhooks' }).waitFor();
    await page.waitForFunction(() => { const f = document.querySelector('tenterhook-portal').shadowRoot.querySelector('iframe'); return f.offsetHeight > 200 && f.offsetHeight !== 480; });
    assert.equal(await frame().getByRole('link', { name: /^Back/ }).count(), 0, 'the platform has its own way back');
    await frame().waitForFunction(() => document.documentElement.scrollHeight <= innerHeight); // no bar inside the frame
    await page.evaluate(() => document.querySelector('tenterhook-portal').go('deliveries'));
    await frame().getByRole('heading', { name: 'Deliveries' }).waitFor();
    await page.waitForFunction(() => window.seen.some((m) => m[0] === 'tenterhook-at' && m[1].path === 'deliveries'));
    await page.evaluate(() => document.querySelector('tenterhook-portal').setAttribute('mode', 'dark'));
    await frame().waitForFunction(() => document.documentElement.dataset.mode === 'dark');
    // tricks in messages do nothing
    await page.evaluate(() => { const p = document.querySelector('tenterhook-portal'); p.say({ tenterhook: 'theme', theme: { accent: 'red;}body{display:none}', ground: 'url(//evil.example)', radius: '1px;' } }); p.go('//evil.example'); p.go('javascript:planted(1)'); p.go('../ui/'); });
    await page.waitForTimeout(300);
    assert.match(frame().url(), /\/portal\/deliveries$/);
    assert.doesNotMatch(await frame().evaluate(() => document.documentElement.getAttribute('style') ?? ''), /display|url|evil/);
    // used a second time: the host hears that it has ended
    await page.evaluate((l) => { window.seen.length = 0; document.querySelector('tenterhook-portal').setAttribute('link', l); }, link);
    await page.waitForFunction(() => window.seen.some((m) => m[0] === 'tenterhook-ended' && m[1].reason === 'used'));
    assert.ok(!JSON.stringify(await page.evaluate(() => window.seen)).includes('th_p'));
    // the dashboard stands in no frame, the portal in none of a stranger
    const other = await context.newPage();
    await other.goto(stranger + '/stranger');
    await other.waitForTimeout(700);
    for (const f of other.frames().slice(1)) assert.ok(!f.url().startsWith(server) || !(await f.locator('main, form').count().catch(() => 0)), 'framed by a stranger: ' + f.url());
    assert.deepEqual(await other.evaluate(() => window.seen), []);
  },

  /** Pictures of every page, for people to look at. */
  async screenshots({ page, server, key, paths, folder, scheme, width }) {
    await signIn(page, server, key);
    for (const [name, path] of Object.entries(paths)) {
      await page.goto(server + '/ui/' + path);
      await settled(page);
      await page.waitForTimeout(600);
      await page.screenshot({ path: join(folder, `${name}-${width}-${scheme}.png`), fullPage: true });
    }
  },
};

const [name, text] = process.argv.slice(2), given = JSON.parse(text), home = await mkdtemp(join(tmpdir(), 'tenterhook-browser-'));
const browser = await open({ ...given, folder: home });
browser.page.setDefaultTimeout(60000);
/* Asks the test to do something: a line on stdout, a line back on stdin. */
const tell = (what) => new Promise((go) => { process.stdin.once('data', go); console.log('@' + what); });
let failure = null;
try {
  await flows[name]({ ...browser, ...given, tell });
  if (name === 'portal_framed') browser.faults = browser.faults.filter((f) => !/frame-ancestors|Framing|Refused to (display|frame)|can escape its sandboxing/i.test(f)); // the first is what is wanted; the last holds for frames of the page's own origin
  if (name !== 'gone') assert.deepEqual(browser.faults, []);
} catch (error) {
  failure = error;
  if (given.picture) await browser.page.screenshot({ path: given.picture, fullPage: true }).catch(() => {});
  console.error(error.stack, '\n', browser.page.url(), '\n', browser.faults.join('\n'), '\n', (await browser.page.locator('body').innerText().catch(() => '')).slice(0, 3000));
}
await browser.context.close();
await rm(home, { recursive: true, force: true });
process.exit(failure ? 1 : 0);
