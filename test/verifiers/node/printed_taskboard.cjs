// What Taskboard's public webhook page prints under "Verify Signature", word for word between the marks.
// WEBHOOK_SECRET is a name that the page takes for granted.
'use strict';

let WEBHOOK_SECRET;
exports.setSecret = (secret) => { WEBHOOK_SECRET = secret; };

exports.install = (app) => {
// ---- printed ----
const crypto = require('crypto');

function verifyWebhook(payload, signature, secret) {
  const expectedSignature = crypto
    .createHmac('sha256', secret)
    .update(payload)
    .digest('hex');
    
  return crypto.timingSafeEqual(
    Buffer.from(signature),
    Buffer.from(expectedSignature)
  );
}

app.post('/webhooks', (req, res) => {
  const signature = req.headers['x-webhook-signature'];
  const payload = JSON.stringify(req.body);
  
  if (!verifyWebhook(payload, signature, WEBHOOK_SECRET)) {
    return res.status(401).send('Invalid signature');
  }
  
  // Process webhook
  const { event, data } = req.body;
  
  if (event === 'task.created') {
    console.log('New task:', data.name);
  }
  
  res.status(200).send('OK');
});
// ---- end ----
};
