"""What the demo page says, in English and in Korean."""

import re
from dataclasses import asdict, dataclass

from custom_datasets.serving.problems import Problem


@dataclass(frozen=True)
class Texts:
    """All texts of the page in one language; those with braces are filled in."""

    language: str
    upload_tab: str
    webcam_tab: str
    live_tab: str
    live_hint: str
    shot_tab: str
    shot_hint: str
    picture: str
    webcam: str
    examples: str
    example: str
    threshold: str
    threshold_hint: str
    probabilities: str
    best_scores: str
    download: str
    boxes: str
    best: str
    nothing: str
    painted: str
    sort: str
    becomes: str
    unusable: str
    gone: str
    full: str
    slow: str
    unready: str
    privacy: str

    def sentence(self, problem: Problem) -> str:
        """Say why there is no answer."""
        return {429: self.full, 504: self.slow}.get(problem.status, self.unready)

    def refusal(self, problem: str) -> str:
        """Say why a picture cannot be used, from the problem of its ImageError."""
        if self.language == 'ko':
            problem = _in_korean(problem)
        return self.unusable.format(problem=problem)


ENGLISH = Texts(
    language='en',
    upload_tab='Upload',
    webcam_tab='Webcam',
    live_tab='Live',
    live_hint='Open the camera, then press Record: each picture is answered until you '
    'press Stop.',
    shot_tab='One picture',
    shot_hint='Open the camera, then press the round button below the picture.',
    picture='Picture',
    webcam='Webcam',
    examples='Or try one of these',
    example='Example {number}: {name}',
    threshold='Threshold',
    threshold_hint='Lowest score that counts',
    probabilities='Probability of each class',
    best_scores='Best score of each class',
    download='Download the painted picture',
    boxes='Found: {count}',
    best='best score {score:.0%}',
    nothing='Nothing reaches the threshold {threshold}.',
    painted='Your picture, painted: {names}',
    sort='What to do',
    becomes='What happens next',
    unusable='The picture cannot be used: it {problem}.',
    gone='The picture is no longer on the server; choose it again.',
    full='Too many pictures are waiting; try again in a moment.',
    slow='The answer took too long; try again with a smaller picture.',
    unready='The model is not ready; try again in a moment.',
    privacy='Your picture goes to this server only, which deletes it within seconds.',
)

KOREAN = Texts(
    language='ko',
    upload_tab='사진 올리기',
    webcam_tab='웹캠',
    live_tab='실시간',
    live_hint='아래 상자를 눌러 카메라를 켠 다음 Record를 누르세요. Stop을 누를 때까지 '
    '결과를 계속 보여 줍니다.',
    shot_tab='한 장 찍기',
    shot_hint='아래 상자를 눌러 카메라를 켠 다음 둥근 단추를 눌러 찍으세요.',
    picture='사진',
    webcam='웹캠',
    examples='예시 사진으로 해 보기',
    example='예시 {number}: {name}',
    threshold='기준 점수',
    threshold_hint='이 점수 이상만 결과로 표시합니다',
    probabilities='분류별 확률',
    best_scores='분류별 최고 점수',
    download='결과 사진 내려받기',
    boxes='찾은 개수: {count}',
    best='최고 점수 {score:.0%}',
    nothing='기준 점수 {threshold} 이상인 결과가 없습니다.',
    painted='결과를 표시한 사진: {names}',
    sort='이렇게 하세요',
    becomes='그다음에는',
    unusable='이 사진은 사용할 수 없습니다. {problem}.',
    gone='사진이 서버에 더 이상 없습니다. 다시 선택해 주세요.',
    full='대기 중인 사진이 너무 많습니다. 잠시 후 다시 시도해 주세요.',
    slow='처리 시간이 너무 오래 걸렸습니다. 더 작은 사진으로 다시 시도해 주세요.',
    unready='모델이 아직 준비되지 않았습니다. 잠시 후 다시 시도해 주세요.',
    privacy='사진은 이 서버로만 전송되며, 서버는 몇 초 안에 사진을 삭제합니다.',
)

_KOREAN_PROBLEMS = {
    'is empty': '파일이 비어 있습니다',
    'is not an image': '이름과 달리 이미지 파일이 아닙니다',
    'is HEIC': 'HEIC 형식은 읽을 수 없으니 JPEG로 저장해 주세요',
    r'is (\w+), which OpenCV': r'\1 형식은 읽을 수 없으니 JPEG로 바꿔 주세요',
    'is a pointer of Git LFS': 'Git LFS 포인터이므로 git lfs pull로 원본을 받아 주세요',
    r'begins like a (\w+) file': r'\1 파일처럼 시작하지만 잘렸거나 손상되었습니다',
    'is cut off|has all pixels but no end': '파일의 뒷부분이 잘렸습니다',
    'is damaged|cannot be decoded': '파일이 손상되었습니다',
    r'is too large: (\d+) x (\d+) pixels; at most (\d+) megapixels': (
        r'사진이 너무 큽니다(\1 x \2픽셀, 최대 \3메가픽셀)'
    ),
    r'has (\d+) x (\d+) pixels, which the test pipeline cannot take': (
        r'모델이 이 크기(\1 x \2픽셀)의 사진을 처리하지 못합니다'
    ),
}
"""How the problems of pictures begin, and what they are in Korean."""


def texts_for(accept_language: str) -> Texts:
    """Return the texts for what a browser prefers, as its header says."""
    preferred = accept_language.split(',')[0].split(';')[0].strip().lower()
    return KOREAN if preferred.split('-')[0] == 'ko' else ENGLISH


def _in_korean(problem: str) -> str:
    for begin, korean in _KOREAN_PROBLEMS.items():
        if match := re.match(begin, problem):
            return match.expand(korean)
    return problem


def translations() -> dict[str, dict[str, str]]:
    """Return all texts by language and name, as Gradio wants them."""
    return {texts.language: asdict(texts) for texts in (ENGLISH, KOREAN)}
