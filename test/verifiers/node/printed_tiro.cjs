// What Tiro's public webhook pages print for Node.js ("Webhooks Overview" and "Best Practices"), word for word
// between the marks. Around it: the names that the printed code takes for granted.
'use strict';

exports.install = (app, handleWebhookEvent, handlers) => {
  const { handleNoteEvent, handleNoteDocumentEvent, handleNoteSummaryEvent, handleFolderNoteEvent } = handlers;

  // ---- printed: "Webhooks Overview", Verification Example ----
  function verifyWebhookAuth(authHeader, expectedSecret) {
    const token = authHeader.replace('Bearer ', '');
    return token === expectedSecret;
  }

  // Usage in your webhook endpoint
  app.post('/en/developers/webhooks/tiro', (req, res) => {
    const authHeader = req.headers.authorization;
    
    if (!verifyWebhookAuth(authHeader, process.env.WEBHOOK_SECRET)) {
      return res.status(401).send('Unauthorized');
    }
    
    // Process webhook event
    const event = req.body;
    handleWebhookEvent(event);
    
    res.status(200).send('OK');
  });
  // ---- end ----

  const handleEvent = (event) => routeEvent(event);

  // ---- printed: "Best Practices", Idempotency ----
  const processedEvents = new Set();

  function processEvent(event) {
    // Deduplicate by event ID
    if (processedEvents.has(event.id)) {
      return;
    }

    // Process the event
    handleEvent(event);
    processedEvents.add(event.id);
  }
  // ---- printed: "Best Practices", Security ----
  app.post('/webhooks/tiro', (req, res) => {
    const authHeader = req.headers.authorization;
    
    if (!verifyWebhookAuth(authHeader, process.env.WEBHOOK_SECRET)) {
      return res.status(401).send('Unauthorized');
    }
    
    // Process webhook event
    processEvent(req.body);
    res.status(200).send('OK');
  });
  // ---- printed: "Best Practices", Resource Routing ----
  function routeEvent(event) {
    const { resourceType, resourceId } = event.data;

    switch (resourceType) {
      case 'Note':
        return handleNoteEvent(event.type, resourceId, event.data.resource);
      case 'NoteDocument':
        return handleNoteDocumentEvent(event.type, resourceId, event.data.resource);
      case 'NoteSummary':
        return handleNoteSummaryEvent(event.type, resourceId, event.data.resource);
      case 'FolderNoteRelation':
        return handleFolderNoteEvent(event.type, resourceId, event.data.resource);
      default:
        console.log('Unknown resource type:', resourceType);
    }
  }
  // ---- end ----
};
