"""What the page does by itself, without the server: keys, and files that are dropped on it."""

# Vue's templates reach neither the network nor the keyboard of the whole page.
SCRIPT = """
(() => {
  if (window.cmcsegListens) return;  // a new layout runs this again
  window.cmcsegListens = true;
  const typing = (e) => /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName) &&
    !/^(range|checkbox|button)$/.test(e.target.type);
  const tell = (name, value) => window.trame && window.trame.trigger(name, [value]);
  document.addEventListener('keydown', (e) => {
    const held = e.ctrlKey || e.metaKey || e.altKey;
    if (typing(e) || (held && !e.getModifierState('AltGraph'))) return;  // it writes [ for many
    if (e.key === ' ' && e.target.closest('button, a, summary, label, [tabindex="0"]')) return;
    if (e.key === ' ') { e.preventDefault(); if (!e.repeat) tell('hold', true); return; }
    if (e.key === 'Enter') {
      if (!document.getElementById('take-mark')) return;
      e.preventDefault();
    }
    if (!/^([1-9npafbewrzm?[\\]]|Escape|Enter)$/i.test(e.key) || e.repeat) return;
    const both = e.shiftKey && /^[zm]$/i.test(e.key);
    tell('key', both ? e.key.toUpperCase() : e.key.length === 1 ? e.key.toLowerCase() : e.key);
  });
  document.addEventListener('keyup', (e) => { if (e.key === ' ') tell('hold', false); });
  // A button that was pressed with the mouse lets go of the keyboard: Space hides the organs.
  document.addEventListener('click', (e) => {
    const button = e.detail && e.target.closest('button, [tabindex="0"]');
    if (button && !typing(e)) button.blur();
  });
  // Twice into a view: it fills the page, or shares it again.
  document.addEventListener('dblclick', (e) => {
    const area = e.target.closest('.remote-controlled-area');
    const view = area && area.parentElement.querySelector('[data-view]');
    if (view) tell('enlarge', Number(view.dataset.view));
  });
  // trame makes the pictures of the views, and gives them no words.
  setInterval(() => document.querySelectorAll('img.image-display-area:not([alt])').forEach(
    (image) => { image.alt = 'Picture of the scan with its organs'; }), 500);
  // When the server is gone, say what to do, and come back by ourselves. The style goes along:
  // with the connection, trame takes the page and its style sheet away.
  const STOPPED = 'CMCSeg has stopped; start it again with the same command: what you have drawn ' +
    'is kept.';
  const ANEW = 'CMCSeg was started again; open the new link that it printed in the terminal.';
  const gone = document.createElement('div');
  gone.id = 'gone'; gone.setAttribute('role', 'alert');
  gone.style.cssText = 'position: fixed; inset: 0; z-index: 9999; display: flex; ' +
    'align-items: center; justify-content: center; padding: 0 20vw; background: #1c1c1c; ' +
    'color: #fff; font: 18px/1.5 system-ui, sans-serif; text-align: center';
  const tellGone = (sentence) => {
    if (gone.textContent !== sentence) gone.textContent = sentence;
    if (!gone.isConnected) document.body.append(gone);
  };
  setInterval(async () => {
    try {
      const answer = await fetch('here', { cache: 'no-store' });
      if (answer.status === 403) tellGone(ANEW);  // another start has another token
      else if (gone.isConnected) location.assign('index.html?here=1');
    } catch (error) { tellGone(STOPPED); }
  }, 2000);
  const send = async (files, to) => {
    if (!files.length) return;
    const form = new FormData();
    for (const file of files) form.append('file', file, file.name);
    const step = document.querySelector('.v-tab--selected').id.slice('step-'.length);
    try {
      await tell('uploading', step);  // the server may not have heard yet that the page was turned
      await fetch(to, { method: 'POST', body: form });
    } catch (error) { tell('lost', String(error)); }
    tell('uploading', '');
  };
  document.addEventListener('change', (e) => {
    if (e.target.type === 'file' && e.target.dataset.to) {
      send([...e.target.files], e.target.dataset.to); e.target.value = '';
    }
  });
  const within = (entry) => new Promise((done) => {
    if (entry.isFile) return entry.file((f) => done([f]), () => done([]));
    const reader = entry.createReader(); const all = [];
    const more = () => reader.readEntries(async (found) => {
      if (!found.length) return done((await Promise.all(all.map(within))).flat());
      all.push(...found); more();
    }, () => done([]));
    more();
  });
  document.addEventListener('dragover', (e) => e.preventDefault());
  document.addEventListener('drop', async (e) => {
    e.preventDefault();
    const entries = [...e.dataTransfer.items].map((i) => i.webkitGetAsEntry()).filter(Boolean);
    send((await Promise.all(entries.map(within))).flat(), 'upload');
  });
})();
"""
