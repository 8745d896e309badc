"""A page on which a visitor tries a model: upload, webcam, and what to do with it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from custom_datasets.data.advice import Advice
from custom_datasets.errors import ImageError
from custom_datasets.predicting.outputs import Answer
from custom_datasets.serving.bodies import Upload
from custom_datasets.serving.demo_answers import (
    advice_html,
    alert_html,
    decided,
    painted_html,
    scores_by_class,
    thumbnails_html,
)
from custom_datasets.serving.demo_texts import Texts, texts_for, translations
from custom_datasets.serving.demo_uploads import (
    BrowserImage,
    browser_image,
    read_picture,
)
from custom_datasets.serving.engine import Engine
from custom_datasets.serving.examples import Example
from custom_datasets.serving.limits import Service
from custom_datasets.serving.problems import Problem

_FRAME_SECONDS = 0.5
_LIVE_SECONDS = 3600
_MOST_BARS = 12
_CHOOSE = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button');
  if (button) trigger('click', {number: Number(button.value)});
});
"""
_SHOW_ANSWER = """
() => setTimeout(() => {
  const answer = [...document.querySelectorAll('.block.painted')].find(
    (place) => place.checkVisibility());
  if (answer && answer.getBoundingClientRect().top > innerHeight / 2)
    answer.scrollIntoView();
}, 100)
"""
_ANNOUNCE = "element.setAttribute('aria-live', 'polite');"


class Shown(NamedTuple):
    """What stands beside a picture; the values are those of Gradio's components."""

    painted: str = ''
    advice: str = ''
    scores: dict[str, Any] = {}


@dataclass(frozen=True)
class Demo:
    """What a page asks its server.

    Attributes:
        service: What is served.
        engine: What predicts.
        folder: Where Gradio puts what is uploaded.
        advice: By class, as a team wrote it.
        examples: Pictures to choose from.
        title: What the page is called.
    """

    service: Service
    engine: Engine
    folder: str
    advice: Mapping[str, Advice]
    examples: Sequence[Example]
    title: str

    def start(self, request: gr.Request) -> tuple[Any, ...]:
        """Return what depends on the model and on the visitor's language."""
        texts = _texts(request)
        facts = self.engine.facts
        assert facts is not None  # No connection is accepted before.
        detects = facts.task == 'detection'
        bars = texts.best_scores if detects else texts.probabilities
        return (
            _intro(self.title, facts.classes, texts),
            facts.decision.threshold,
            thumbnails_html(self.examples, texts),
            *(gr.update(label=bars),) * 3,
        )

    async def answer(
        self, image: BrowserImage | None, threshold: float, request: gr.Request
    ) -> tuple[Any, ...]:
        """Answer on a picture, which goes back to the browser.

        No page need have sent it: the picture may be missing or none of the visitor's,
        and the threshold anything.
        """
        if image is None:
            return (None, *Shown())
        texts = _texts(request)
        picture = read_picture(image, self.folder)
        if picture is None:
            return (None, *_refused(texts.gone))
        try:
            shown = await self._show(picture, _score(threshold), texts)
        except ImageError as error:
            return (None, *_refused(texts.refusal(error.problem)))
        except Problem as problem:
            shown = _refused(texts.sentence(problem))
        return (browser_image(picture), *shown)

    async def answer_again(
        self, image: BrowserImage | None, threshold: float, request: gr.Request
    ) -> Shown:
        """Answer on a picture that the browser keeps, or on a frame."""
        return Shown(*(await self.answer(image, threshold, request))[1:])

    async def answer_example(
        self, threshold: float, event: gr.EventData, request: gr.Request
    ) -> tuple[Any, ...]:
        """Answer on an example."""
        example = self._example(event)
        if example is None:
            return (None, *_refused(_texts(request).gone))
        return await self.answer(browser_image(Upload(*example)), threshold, request)

    def _example(self, event: gr.EventData) -> Example | None:
        try:
            number = event.number
        except (AttributeError, TypeError):  # No page sent it.
            return None
        if isinstance(number, int) and 0 <= number < len(self.examples):
            return self.examples[number]
        return None

    async def _show(self, picture: Upload, threshold: float, texts: Texts) -> Shown:
        seconds = self.service.limits.seconds
        try:
            answer = await asyncio.wait_for(self._predict(picture), seconds)
        except asyncio.TimeoutError:
            raise Problem(504, texts.slow) from None
        visible = decided(answer, threshold)
        jpeg = await self.engine.paint(visible)
        return Shown(
            painted_html(visible, jpeg, texts),
            advice_html(visible, self.advice, texts),
            _bars(scores_by_class(answer)),
        )

    async def _predict(self, picture: Upload) -> Answer:
        with self.engine.places(1):
            return await self.engine.predict(picture, 0.0)


def build_page(demo: Demo) -> gr.Blocks:
    """Lay out the page; a tab that makes images belongs beside the other two."""
    text = gr.I18n(**translations())
    page = gr.Blocks(title=demo.title, analytics_enabled=False)
    with page:
        with gr.Row():
            with gr.Column(scale=2):
                intro = gr.HTML(_intro(demo.title))
            with gr.Column():
                threshold = gr.Slider(
                    0,
                    1,
                    step=0.01,
                    label=text('threshold'),
                    info=text('threshold_hint'),
                )
        with gr.Tab(text('upload_tab')), gr.Row():
            with gr.Column():
                picture = gr.Image(
                    label=text('picture'), sources=['upload', 'clipboard'], buttons=[]
                )
                examples = gr.HTML(js_on_load=_CHOOSE, elem_classes='examples')
            panel = _panel(announces=True)
        with gr.Tab(text('webcam_tab')):
            with gr.Tab(text('live_tab')), gr.Row():
                with gr.Column():
                    gr.Markdown(text('live_hint'))
                    stream = _webcam(text, streaming=True)
                live_panel = _panel(announces=False)
            with gr.Tab(text('shot_tab')), gr.Row():
                with gr.Column():
                    gr.Markdown(text('shot_hint'))
                    shot = _webcam(text, streaming=False)
                shot_panel = _panel(announces=True)
        bars = [place.scores for place in (panel, live_panel, shot_panel)]
        page.load(
            demo.start,
            None,
            [intro, threshold, examples, *bars],
            api_visibility='private',
        )
        # What arrives and what goes is as the browser has it: Gradio would make files.
        raw: dict[str, Any] = {
            'preprocess': False,
            'postprocess': False,
            'api_visibility': 'private',
        }
        for answered in (
            examples.click(demo.answer_example, threshold, [picture, *panel], **raw),
            picture.upload(demo.answer, [picture, threshold], [picture, *panel], **raw),
            shot.input(demo.answer, [shot, threshold], [shot, *shot_panel], **raw),
        ):
            # On a narrow screen it would stand below what is seen.
            answered.then(None, js=_SHOW_ANSWER, api_visibility='private')
        for image, place in ((picture, panel), (shot, shot_panel)):
            image.clear(Shown, None, place, **raw)
            threshold.input(
                demo.answer_again,
                [image, threshold],
                place,
                trigger_mode='always_last',
                **raw,
            )
        stream.stream(
            demo.answer_again,
            [stream, threshold],
            live_panel,
            stream_every=_FRAME_SECONDS,
            time_limit=_LIVE_SECONDS,
            show_progress='hidden',
            **raw,
        )
        page.unload(_forget_visitor(page))
    for block in (picture, stream, shot, threshold):
        block.async_move_resource_to_block_cache = _leave  # type: ignore[assignment]
    # Gradio keeps what each visitor's page shows, ten thousand of them.
    page.state_session_capacity = 1
    # How many wait is limited where the API's wait, too.
    page.queue(api_open=False, default_concurrency_limit=None)
    return page


class _Panel(NamedTuple):
    """Where a :class:`Shown` goes."""

    painted: gr.HTML
    advice: gr.HTML
    scores: gr.Label


def _panel(announces: bool) -> _Panel:
    with gr.Column():
        return _Panel(
            gr.HTML(
                elem_classes='painted', js_on_load=_ANNOUNCE if announces else None
            ),
            gr.HTML(elem_classes='advice'),
            gr.Label(num_top_classes=_MOST_BARS, show_heading=False),
        )


def _webcam(text: gr.I18n, streaming: bool) -> gr.Image:
    return gr.Image(
        label=text('webcam'),
        sources=['webcam'],
        streaming=streaming,
        webcam_options=gr.WebcamOptions(mirror=False),
        buttons=[],
    )


def _intro(title: str, classes: Sequence[str] = (), texts: Texts | None = None) -> str:
    lines = [', '.join(classes), texts.privacy] if texts else []
    return f'<h1>{escape(title)}</h1>' + ''.join(f'<p>{escape(x)}</p>' for x in lines)


def _bars(scores: Mapping[str, float]) -> dict[str, Any]:
    ranked = sorted(scores.items(), key=lambda row: -row[1])[:_MOST_BARS]
    rows = [{'label': name, 'confidence': score} for name, score in ranked]
    return {'label': ranked[0][0], 'confidences': rows}


def _score(threshold: Any) -> float:
    """Return a threshold, or 0 where it is nothing that the slider sends."""
    if isinstance(threshold, (int, float)) and 0 <= threshold <= 1:
        return threshold
    return 0.0


def _texts(request: gr.Request) -> Texts:
    return texts_for(request.headers.get('accept-language', ''))


def _refused(sentence: str) -> Shown:
    return Shown(painted=alert_html(sentence))


async def _leave(address: str | Path | None) -> Any:
    """Leave a file where it is; Gradio would download what a visitor names."""
    return address


def _forget_visitor(page: gr.Blocks) -> Any:
    def forget(request: gr.Request) -> None:
        page.state_holder.session_data.pop(request.session_hash or '', None)

    return forget
