"""Videos as a test needs them, and cameras and streams that it holds the strings of."""

import http.server
import threading
from contextlib import contextmanager

import cv2
import numpy as np

SIZE = (64, 48)


def frame(number, size=SIZE):
    """Draw a frame that says its number, up to 12, by its brightness."""
    return np.full((size[1], size[0], 3), 20 * (number % 13), np.uint8)


def number_of(pixels):
    return round(pixels.mean() / 20)


def draw_video(path, frames=10, size=SIZE, fps=10, codec='mp4v'):
    """Write a video and return its path."""
    fourcc = cv2.VideoWriter.fourcc(*codec)
    video = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, fourcc, fps, size)
    assert video.isOpened()
    for number in range(frames):
        video.write(frame(number, size))
    video.release()
    return str(path)


def draw_image(path, number=5):
    """Write an image, in the format of the suffix, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), frame(number))
    return str(path)


def image_bytes(number=5):
    return cv2.imencode('.png', frame(number))[1].tobytes()


def read_video(path):
    """Return a video's size, frames a second and the numbers of its frames."""
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    numbers = []
    while (read := video.read())[0]:
        numbers.append(number_of(read[1]))
        size = read[1].shape[1::-1]
    return size, video.get(cv2.CAP_PROP_FPS), numbers


class Camera:
    """A capture that shows numbered frames as a test lets it.

    ``before`` is called with the number of each frame before it is there.
    """

    def __init__(self, frames=10, before=lambda number: None, fps=10.0, claims=0):
        self.frames, self.before = frames, before
        self.says = {cv2.CAP_PROP_FPS: fps, cv2.CAP_PROP_FRAME_COUNT: claims}
        self.number = -1
        self.released = threading.Event()

    def grab(self):
        self.before(self.number + 1)
        self.number += 1
        return self.number < self.frames

    def retrieve(self):
        return True, frame(self.number)

    def read(self):
        return self.retrieve() if self.grab() else (False, None)

    def get(self, key):
        return self.says.get(key, 0.0)

    def release(self):
        self.released.set()


@contextmanager
def serve(answer):
    """Serve what a function of the handler answers; yields ``http://host:port``."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            answer(self)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f'http://127.0.0.1:{server.server_port}'
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def send(handler, kind, content):
    """Answer with one file."""
    handler.send_response(200)
    handler.send_header('Content-Type', kind)
    handler.send_header('Content-Length', str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def send_mjpeg(handler, numbers, before=lambda number: None):
    """Answer as network cameras do, until nobody listens any more."""
    handler.send_response(200)
    handler.send_header('Content-Type', 'multipart/x-mixed-replace; boundary=next')
    handler.end_headers()
    try:
        for number in numbers:
            before(number)
            content = cv2.imencode('.jpg', frame(number))[1].tobytes()
            head = (
                f'--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(content)}'
            )
            handler.wfile.write(head.encode() + b'\r\n\r\n' + content + b'\r\n')
    except ConnectionError:
        handler.close_connection = True
