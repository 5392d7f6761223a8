/* <tenterhook-portal link="https://hooks.example.com/portal/#…" mode="dark"></tenterhook-portal>
 *
 * One element that puts the portal into a frame, gives the frame the height of what is in it, and says what happens as events:
 * tenterhook-ready, tenterhook-at (detail.path), tenterhook-ended (detail.reason: get another link, and set it). It asks the server for
 * nothing itself. Messages are taken from the frame's own window and origin alone. */
class TenterhookPortal extends HTMLElement {
  static observedAttributes = ['link', 'mode'];

  constructor() {
    super();
    this.height = '480px';
    this.hear = (e) => this.take(e);
    this.attachShadow({ mode: 'open' });
  }

  connectedCallback() { window.addEventListener('message', this.hear); this.open(); }

  disconnectedCallback() { window.removeEventListener('message', this.hear); }

  attributeChangedCallback(name, before, now) {
    if (!this.isConnected) return;
    if (name === 'link') this.open(); else if (before !== now) this.dress();
  }

  /** The link, if it is one: javascript: and the like are not. */
  get address() {
    try { const url = new URL(this.getAttribute('link') ?? '', location.href); return /^https?:$/.test(url.protocol) && url.pathname.startsWith('/portal') ? url : null; } catch { return null; }
  }

  /** A new frame for each link: two links differ behind # alone, which would not load a frame anew. */
  open() {
    const url = this.address, frame = document.createElement('iframe');
    frame.title = this.title || 'Webhooks';
    frame.setAttribute('sandbox', 'allow-scripts allow-same-origin allow-forms allow-downloads');
    frame.allow = 'clipboard-write';
    frame.referrerPolicy = 'no-referrer';
    Object.assign(frame.style, { border: '0', width: '100%', height: this.height, display: 'block', colorScheme: 'normal' });
    frame.addEventListener('load', () => { this.say({ tenterhook: 'hello' }); this.dress(); });
    if (url) frame.src = url.href;
    this.frame = frame;
    this.shadowRoot?.replaceChildren(...(url ? [frame] : []));
  }

  dress() { const mode = this.getAttribute('mode'); if (mode) this.say({ tenterhook: 'theme', theme: { mode } }); }

  /** Shows another place: 'deliveries', 'endpoints/new'. */
  go(path) { this.say({ tenterhook: 'go', path }); }

  say(message) { const url = this.address; if (url) this.frame?.contentWindow?.postMessage(message, url.origin); }

  take(e) {
    const url = this.address, m = e.data;
    if (!url || e.source !== this.frame?.contentWindow || e.origin !== url.origin || typeof m?.tenterhook !== 'string') return;
    if (m.tenterhook === 'height' && m.height > 0 && m.height < 100000 && this.frame) this.frame.style.height = this.height = m.height + 'px';
    else if (['ready', 'at', 'ended'].includes(m.tenterhook)) this.dispatchEvent(new CustomEvent('tenterhook-' + m.tenterhook, { detail: { path: m.path, reason: m.reason }, bubbles: true }));
  }
}
if (!customElements.get('tenterhook-portal')) customElements.define('tenterhook-portal', TenterhookPortal);
