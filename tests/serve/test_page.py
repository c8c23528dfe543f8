"""The page in a real browser: by hand and by keyboard alone."""
import shutil
from pathlib import Path
from typing import Any, Iterator, List

import pytest
from serve.conftest import Served

sync_api = pytest.importorskip(
    'playwright.sync_api', reason='a browser is driven by playwright')
CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser')
pytestmark = pytest.mark.skipif(
    CHROMIUM is None,
    reason='there is no Chromium; on Debian: apt-get install chromium')
DESKTOP, PHONE = (1280, 900), (375, 800)


@pytest.fixture(scope='module')
def browser() -> Iterator[Any]:
    """Start Chromium of the system."""
    with sync_api.sync_playwright() as tool:
        found = tool.chromium.launch(
            executable_path=CHROMIUM, args=['--no-sandbox'])
        yield found
        found.close()


class Tab:
    """A tab of the browser, with a list of complaints."""

    def __init__(self, browser: Any, served: Served, size: tuple,
                 query: str) -> None:
        self.context = browser.new_context(
            viewport=dict(width=size[0], height=size[1]))
        self.page = self.context.new_page()
        self.page.set_default_timeout(10000)
        self.faults: List[str] = []
        self.page.on('pageerror', lambda error: self.faults.append(str(error)))
        self.page.on(
            'console', lambda line: self.faults.append(line.text)
            if line.type == 'error' else None)
        self.page.goto(f'http://127.0.0.1:{served.port}/{query}')
        self.wait(
            "document.getElementById('about').textContent.includes('videos')")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def focus(self) -> str:
        """Return the name of the element with the focus, as read aloud."""
        return self.page.evaluate(
            "(e => e.getAttribute('aria-label') || e.labels?.[0]?.innerText "
            '|| e.innerText)(document.activeElement)')

    def wait(self, condition: str) -> None:
        """Wait for a condition; the page allows no eval."""
        for _ in range(200):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(condition)

    @property
    def too_wide(self) -> bool:
        return self.page.evaluate(
            'document.documentElement.scrollWidth > innerWidth')


@pytest.fixture
def open_tab(browser: Any, served: Served) -> Iterator[Any]:
    tabs = []

    def make(size: tuple = DESKTOP, query: str = '') -> Tab:
        tabs.append(Tab(browser, served, size, query))
        return tabs[-1]

    yield make
    for tab in tabs:
        tab.context.close()
        assert tab.faults == []


VIDEO = "document.querySelector('.card video')"


def test_keyboard_alone(open_tab: Any, served: Served) -> None:
    """Type, Enter, Tab to a card, Enter plays, Tab to the question."""
    tab = open_tab()
    page = tab.page
    page.keyboard.type('a square moves left')  # the field has the focus
    tab.press('Enter')
    page.wait_for_selector('.card')
    assert page.inner_text('#status') == '12 parts of 3 videos.'
    assert page.get_attribute('#status', 'aria-live') == 'polite'
    seen = []
    while not tab.focus().startswith('Play'):
        seen.append(tab.focus())
        tab.press('Tab')
        assert len(seen) < 12, seen
    assert seen[:2] == ['Say what happens in the video', 'Search']
    first = served.post('/api/search', sentence='a square moves left').json
    cards = [f'Play {one["title"]}, {one["time"]}' for one in first['hits']]
    place = next(i for i, one in enumerate(first['hits'])
                 if one['title'] == 'b.webm' and one['start'] == 2)
    for card in cards[:place]:
        assert tab.focus() == card
        tab.press('Tab')
    assert tab.focus() == cards[place]
    tab.press('Enter')
    tab.wait(f'{VIDEO} && {VIDEO}.currentTime > 2')
    assert 2 < page.evaluate(f'{VIDEO}.currentTime') < 3.2
    assert page.evaluate(f'{VIDEO}.currentSrc').endswith('#t=2,3')
    assert page.evaluate(f'document.activeElement === {VIDEO}')
    tab.wait(f'{VIDEO}.paused && {VIDEO}.currentTime < 3.2')  # at the end
    for _ in range(9):  # past the controls of the video
        tab.press('Tab')
        if tab.focus() == 'Ask about this part':
            break
    assert tab.focus() == 'Ask about this part'
    page.keyboard.type('what moves')
    tab.press('Enter')
    answers = '.ask:not([hidden]) .answers li'
    page.wait_for_selector(f'{answers} >> nth=4')
    expected = served.service.qa.answer(
        str(served.folder / 'videos' / 'b.webm'),
        'what moves',
        start=2.,
        end=3.)
    assert page.locator(answers).first.inner_text().split('\n')[0] == (
        expected[0].text)
    assert not tab.too_wide


def test_early_typing(browser: Any, served: Served) -> None:
    """Words typed before the page knows the index stay."""
    context = browser.new_context()
    page = context.new_page()
    held: List[Any] = []
    page.route('**/api/about', lambda route: held.append(route))
    page.goto(f'http://127.0.0.1:{served.port}/', wait_until='commit')
    page.wait_for_selector('#sentence:focus')
    page.keyboard.type('a disc')
    while not held:
        page.wait_for_timeout(20)
    held[0].continue_()
    page.locator('#about', has_text='3 videos').wait_for()
    assert page.input_value('#sentence') == 'a disc'
    context.close()


def test_phone(open_tab: Any) -> None:
    """A narrow screen needs no sideways scrolling."""
    tab = open_tab(PHONE, '?q=a+disc')
    tab.page.wait_for_selector('.card')
    assert tab.page.input_value('#sentence') == 'a disc'
    assert not tab.too_wide
    tab.page.locator('.play').first.click()
    tab.page.wait_for_selector('.card video')
    assert not tab.too_wide
    title = tab.page.locator('h3', has_text='c <b>&.avi').first
    assert title.inner_text() == 'more/c <b>&.avi'


def test_other_codecs(open_tab: Any) -> None:
    """A part of an .avi file is converted."""
    tab = open_tab(DESKTOP, '?q=a+disc')
    card = tab.page.locator('.card', has_text='c <b>&.avi').first
    card.locator('.play').click()
    tab.wait(f'{VIDEO} && {VIDEO}.videoWidth === 96')
    assert '/clips/' in tab.page.evaluate(f'{VIDEO}.currentSrc')
    card.locator('.note', has_text='Converted for this browser').wait_for()


def test_dropped_video(open_tab: Any, served: Served) -> None:
    """A chosen and a dropped video get labels, a strip and neighbours."""
    tab = open_tab(PHONE)
    page = tab.page
    page.set_input_files('#file', str(served.folder / 'dropped.mp4'))
    page.wait_for_selector('#labels li >> nth=4')
    assert page.inner_text('#looked-name') == 'dropped.mp4'
    assert page.locator('.card h3').first.inner_text() == 'b.webm'
    tab.wait("document.getElementById('strip-picture').naturalWidth > 100")
    tab.wait("document.getElementById('looked-video').videoWidth === 96")
    assert not tab.too_wide
    page.evaluate('''() => {
        const data = new DataTransfer();
        data.items.add(new File(['no video'], 'notes.mp4'));
        dispatchEvent(new DragEvent('drop', {dataTransfer: data}));
    }''')
    page.wait_for_selector('#error:not(:empty)')
    assert page.inner_text('#error').startswith(
        'video notes.mp4 is not a video file')
    assert page.get_attribute('#error', 'role') == 'alert'
    assert tab.faults.pop().startswith('Failed to load resource')
    assert not tab.too_wide


def test_errors_are_a_line(open_tab: Any, served: Served) -> None:
    """Errors appear on the page, with a remedy."""
    tab = open_tab()
    tab.page.fill('#sentence', 'word ' * 190)
    tab.press('Enter')
    tab.page.wait_for_selector('#error:not(:empty)')
    assert 'shorten' in tab.page.inner_text('#error')
    tab.page.route('**/api/search', lambda route: route.abort())
    tab.page.fill('#sentence', 'a disc')
    tab.press('Enter')
    tab.page.locator(
        '#error', has_text='the server does not answer').wait_for()
    assert len(tab.faults) == 2
    tab.faults.clear()
    file = served.folder / 'large.mp4'
    file.write_bytes(bytes((1 << 20) + 1))
    tab.page.set_input_files('#file', str(file))
    tab.page.locator('#error', has_text='is larger than 1 MB').wait_for()


def test_video_that_is_gone(open_tab: Any, served: Served) -> None:
    """A card of a removed video says so."""
    file = served.folder / 'videos' / 'a.mp4'
    tab = open_tab(DESKTOP, '?q=a+disc')
    card = tab.page.locator('.card', has_text='a.mp4').first
    card.wait_for()
    kept: Path = file.rename(served.folder / 'kept.mp4')
    try:
        card.locator('.play').click()
        card.locator('.note', has_text='a.mp4 is gone; index').wait_for()
    finally:
        kept.rename(file)
    tab.faults.clear()


def test_dark(browser: Any, served: Served) -> None:
    """The colours follow the preference."""
    found = []
    context = browser.new_context(color_scheme='light')
    page = context.new_page()
    page.goto(f'http://127.0.0.1:{served.port}/')
    for scheme in ('light', 'dark'):
        page.emulate_media(color_scheme=scheme)
        text = page.evaluate('getComputedStyle(document.body).background')
        found.append(int(text.split('(')[1].split(',')[0]))
    context.close()
    assert found[0] > 200 and found[1] < 60
