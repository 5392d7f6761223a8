/* A text field that tells what was typed when the typing pauses. */
import { html, useEffect, useRef, useState } from './base.js';

/** What the page's address says meanwhile replaces the text only where it is not what this field has told: what is being typed
 * stays. */
export const Typed = ({ value, onValue, ...rest }) => {
  const [text, setText] = useState(value);
  const told = useRef(value);
  const tell = (v) => { told.current = v; onValue(v); };
  useEffect(() => { if (value !== told.current) { told.current = value; setText(value); } }, [value]);
  useEffect(() => { if (text.trim() === told.current) return undefined; const t = setTimeout(() => tell(text.trim()), 350); return () => clearTimeout(t); }, [text]);
  return html`<input ...${rest} value=${text} onInput=${(e) => setText(e.target.value)} onChange=${(e) => tell(e.target.value.trim())} />`;
};
