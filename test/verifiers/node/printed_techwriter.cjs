// What TechWriter's public webhook page prints under "Verify the signature" and "Handle events". The page has lost
// the code's string literals; they are filled in from its own tables, all other words are the page's.
//
// The page imports a WebhookVerifier from the vendor's SDK without showing it ("handles the constant-time comparison
// and replay-window check for you"). This one is written from the page's header table and security checklist: either
// of two active secrets, and |t - now| of at most 5 minutes, to both sides.
'use strict';
const crypto = require('node:crypto');

class WebhookVerifier {
  constructor(...secrets) {
    this.secrets = secrets;
  }

  constructEvent(body, header) {
    const items = String(header).split(',').map((item) => item.split('='));
    const times = items.filter(([name]) => name === 't').map(([, value]) => value);
    const given = items.filter(([name]) => name === 'v1').map(([, value]) => Buffer.from(value, 'hex'));
    if (times.length !== 1 || !/^\d{1,12}$/.test(times[0])) throw new Error('no single timestamp');
    if (Math.abs(Number(times[0]) - Math.floor(Date.now() / 1000)) > 300) throw new Error('outside the replay window');
    const matches = this.secrets.some((secret) => {
      const expected = crypto.createHmac('sha256', secret).update(`${times[0]}.`).update(body).digest();
      return given.some((one) => one.length === expected.length && crypto.timingSafeEqual(one, expected));
    });
    if (!matches) throw new Error('no signature matches');
    return JSON.parse(body);
  }
}
exports.WebhookVerifier = WebhookVerifier;

exports.install = (app, express, secretsNow, searchIndex, notifyMentions) => {
  // Made anew for each request, because the tests change the secrets of a running receiver.
  const verifier = { constructEvent: (...given) => new WebhookVerifier(...secretsNow()).constructEvent(...given) };

  // ---- printed, literals filled in ----
  // Use raw body — JSON.parse'd bodies won't verify correctly.
  app.post('/webhooks/techwriter', express.raw({ type: 'application/json' }), (req, res) => {
    try {
      const event = verifier.constructEvent(
        req.body,                                   // raw Buffer
        req.headers['x-techwriter-signature']       // "t=...,v1=..."
      );
      // event is verified — safe to process
      handleEvent(event);
      res.sendStatus(200);
    } catch (err) {
      console.error('refused:', err.message);
      res.sendStatus(400);
    }
  });

  async function handleEvent(event) {
    switch (event.type) {
      case 'document.published': {
        const doc = event.data.object;
        await searchIndex.upsert({ id: doc.id, title: doc.title });
        break;
      }
      case 'document.deleted': {
        await searchIndex.delete(event.data.object.id);
        break;
      }
      case 'comment.created': {
        const { authorId, body } = event.data.object;
        await notifyMentions(authorId, body);
        break;
      }
      default:
        // Unrecognised event — log and ignore, never 500.
        console.log('ignored:', event.type);
    }
  }
  // ---- end ----
};
