'use strict';
const $ = id => document.getElementById(id);
const drop = $('drop'), cards = $('cards'), looked = $('looked');
let about = {}, running = null, shownVideo = '';

function say(text) { $('status').textContent = text; }
function fail(text) { $('error').textContent = text; }
function percent(value) { return `${(100 * value).toFixed(1)} %`; }
function count(number, word) { return `${number.toLocaleString('en')} ${word}${number === 1 ? '' : 's'}`; }

// Ask the server; a newer request takes the place of one under way.
async function ask(address, options = {}) {
  let answer;
  try {
    answer = await fetch(address, options);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Error('the server does not answer; start it again by: mmvideomamba search serve');
  }
  let values;
  try {
    values = await answer.json();
  } catch {
    throw new Error(`the server answers ${answer.status}; reload the page`);
  }
  if (!answer.ok) throw new Error(values.error || `the server answers ${answer.status}; reload the page`);
  return values;
}

function post(address, values, signal) {
  return ask(address, {
    method: 'POST', signal, body: JSON.stringify(values),
    headers: {'Content-Type': 'application/json'},
  });
}

// Run a task that fills the results.
async function replaceResults(text, task) {
  if (running) running.abort();
  const mine = running = new AbortController();
  fail('');
  say(text);
  document.body.setAttribute('aria-busy', 'true');
  cards.classList.add('busy');
  try {
    await task(mine.signal);
  } catch (error) {
    if (error.name === 'AbortError') return;
    say('');
    fail(error.message);
  } finally {
    if (running === mine) {
      document.body.removeAttribute('aria-busy');
      cards.classList.remove('busy');
    }
  }
}

function address(kind, hit, values) {
  return `/${kind}/${hit.video}?${new URLSearchParams(values)}`;
}

function makeCard(hit, rank) {
  const card = $('card').content.firstElementChild.cloneNode(true);
  const play = card.querySelector('.play'), picture = card.querySelector('img');
  const note = card.querySelector('.note');
  card.querySelector('h3').textContent = hit.title;
  card.querySelector('.time').textContent = hit.time;
  let numbers = `${rank} · similarity ${hit.score.toFixed(3)}`;
  if (hit.probability !== null) numbers += ` · judge ${percent(hit.probability)}`;
  card.querySelector('.numbers').textContent = numbers;
  play.setAttribute('aria-label', `Play ${hit.title}, ${hit.time}`);
  picture.loading = 'lazy';
  picture.src = address('frames', hit, {at: ((hit.start + hit.end) / 2).toFixed(3)});
  picture.addEventListener('error', () => whyNoPicture(picture, note));
  if (hit.changed) note.textContent = 'The file has changed since it was indexed.';
  play.addEventListener('click', () => playHit(hit, card));
  const form = card.querySelector('.ask');
  const label = form.querySelector('label'), input = form.querySelector('input');
  input.id = `question-${rank}`;
  label.htmlFor = input.id;
  label.textContent = 'Ask about this part';
  form.addEventListener('submit', event => {
    event.preventDefault();
    askAbout(hit, form, input.value);
  });
  return card;
}

// A picture tells no reason; a request for the same address does.
async function whyNoPicture(picture, note) {
  const source = picture.src;
  picture.hidden = true;
  try {
    const answer = await fetch(source);
    note.textContent = answer.ok ? '' : (await answer.json()).error;
  } catch {
    note.textContent = 'the server does not answer';
  }
}

// Play the file itself from the right second; where the browser cannot, the
// converted part.
function playHit(hit, card) {
  document.querySelectorAll('video').forEach(one => one.pause());
  const video = document.createElement('video');
  const note = card.querySelector('.note');
  const span = `#t=${hit.start},${hit.end}`;
  let converted = false;
  const convert = () => {
    if (converted) {
      explain();
      return;
    }
    converted = true;
    note.textContent = 'This browser cannot play the file. Converting the part …';
    video.src = address('clips', hit, {start: hit.start, end: hit.end});
    video.play().catch(() => {});
  };
  const explain = async () => {
    try {
      const answer = await fetch(video.src);
      note.textContent = answer.ok ? 'This browser plays no H.264 video.' : (await answer.json()).error;
    } catch {
      note.textContent = 'the server does not answer';
    }
  };
  video.controls = true;
  video.playsInline = true;
  video.setAttribute('aria-label', `${hit.title}, ${hit.time}`);
  video.addEventListener('error', convert);
  video.addEventListener('loadedmetadata', () => {
    if (!video.videoWidth) convert();  // sound alone can be played
    else if (converted) note.textContent = 'Converted for this browser, without sound, up to a minute.';
  });
  video.src = `/videos/${hit.video}${span}`;
  card.querySelector('.screen').replaceChildren(video);
  card.querySelector('.ask').hidden = !about.ask;
  const numbers = card.querySelector('.numbers'), time = numbers.cloneNode();
  time.textContent = hit.time;  // the picture had the time
  numbers.before(time);
  video.focus();
  video.play().catch(() => {});
}

async function askAbout(hit, form, question) {
  const list = form.querySelector('.answers'), button = form.querySelector('button');
  fail('');
  list.replaceChildren(row('…', ''));
  button.disabled = true;
  try {
    const found = await post('/api/ask', {video: hit.video, start: hit.start, end: hit.end, question});
    list.replaceChildren(...found.answers.map(one => row(one.text, percent(one.probability))));
  } catch (error) {
    list.replaceChildren(row(error.message, ''));
  } finally {
    button.disabled = false;
  }
}

function row(left, right) {
  const item = document.createElement('li');
  for (const text of [left, right]) {
    const part = document.createElement('span');
    part.textContent = text;
    item.append(part);
  }
  return item;
}

function showHits(found, name) {
  $('results-name').textContent = name;
  $('results-name').hidden = false;
  cards.replaceChildren(...found.hits.map((hit, i) => makeCard(hit, i + 1)));
  const videos = new Set(found.hits.map(hit => hit.video)).size;
  const parts = found.hits.length ? `${count(found.hits.length, 'part')} of ${count(videos, 'video')}` : 'Nothing found';
  say([parts, ...found.notes].join('. ') + '.');
}

function search(keep) {
  const sentence = $('sentence').value.trim();
  if (!sentence) return;
  const values = {sentence, rerank: $('rerank').checked, one_per_video: $('one_per_video').checked};
  if (!keep) history.pushState(null, '', `?${new URLSearchParams({q: sentence})}`);
  replaceResults('Searching …', async signal => {
    const found = await post('/api/search', values, signal);
    hideLooked();
    showHits(found, `Results for “${sentence}”`);
  });
}

function hideLooked() {
  looked.hidden = true;
  if (shownVideo) URL.revokeObjectURL(shownVideo);
  shownVideo = '';
  $('looked-video').removeAttribute('src');
}

function look(files) {
  const file = files[0];
  if (!file) return;
  if (file.size > about.upload_bytes) {
    fail(`${file.name} is larger than ${Math.floor(about.upload_bytes / 2 ** 20)} MB; cut it, or start the page with a larger --upload-mb`);
    return;
  }
  replaceResults(`Looking at ${file.name} …`, async signal => {
    const found = await ask('/api/look', {
      method: 'POST', body: file, signal,
      headers: {'X-File-Name': encodeURIComponent(file.name), 'Content-Type': 'application/octet-stream'},
    });
    hideLooked();
    shownVideo = URL.createObjectURL(file);
    $('looked-video').hidden = false;
    $('looked-video').src = shownVideo;
    $('looked-name').textContent = file.name;
    $('labels').replaceChildren(...found.labels.map(labelRow));
    $('strip').hidden = !found.strip;
    if (found.strip) {
      $('strip-picture').src = found.strip;
      $('strip-picture').alt = `Relevance for ${found.labels[0].name} in the frames of ${file.name}`;
    }
    looked.hidden = false;
    if (files.length > 1) found.notes.push(`The first of ${files.length} files was taken`);
    showHits(found, 'Its neighbours in the index');
    looked.focus();
  });
}

function labelRow(label) {
  const item = document.createElement('li'), name = document.createElement('span');
  const value = document.createElement('b'), bar = document.createElement('meter');
  name.textContent = label.name;
  value.textContent = percent(label.probability);
  bar.value = label.probability;
  bar.setAttribute('aria-hidden', 'true');
  item.append(name, value, bar);
  return item;
}

$('search').addEventListener('submit', event => {
  event.preventDefault();
  search();
});
// The same file may be chosen again.
$('file').addEventListener('click', event => { event.target.value = ''; });
$('looked-video').addEventListener('error', event => {
  if (!shownVideo) return;  // no video at all
  event.target.hidden = true;
  $('status').append(' This browser cannot play the dropped file.');
});
$('file').addEventListener('change', event => look(event.target.files));
drop.addEventListener('submit', event => event.preventDefault());
for (const kind of ['dragenter', 'dragover']) {
  addEventListener(kind, event => {
    event.preventDefault();
    drop.classList.add('over');
  });
}
for (const kind of ['dragleave', 'drop', 'dragend']) addEventListener(kind, () => drop.classList.remove('over'));
addEventListener('drop', event => {
  event.preventDefault();
  look(event.dataTransfer.files);
});

function fromAddress() {
  const sentence = new URLSearchParams(location.search).get('q');
  $('sentence').value = sentence || '';
  if (sentence) search(true);
}
addEventListener('popstate', fromAddress);

async function start() {
  try {
    about = await ask('/api/about');
  } catch (error) {
    fail(error.message);
    return;
  }
  document.title = `Search videos – ${about.name}`;
  let text = `${about.name}: ${count(about.videos, 'video')}, ${count(about.windows, 'part')}`;
  if (about.unreadable) text += `, ${about.unreadable} unreadable`;
  $('about').textContent = text;
  $('rerank-option').hidden = !about.rerank;
  $('rerank-option').querySelector('span').textContent = `let the judge order the best ${about.rerank}`;
  $('drop-text').textContent = `drop one on the page: ${about.label ? 'its labels and ' : ''}its neighbours in the index`;
}
start();
// At once: what is typed while the page loads must stay.
if (new URLSearchParams(location.search).has('q')) fromAddress();
