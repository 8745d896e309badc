"""The yardstick of serving.py: the same predictor behind LitServe.

python benchmarks/litserve_app.py RUN PORT BATCH BATCH_WAIT
"""

import sys
from pathlib import Path
from typing import Any

import litserve
from starlette.requests import Request

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


class Detector(litserve.LitAPI):
    """Bytes in a form, boxes out; several share a run where they have one size."""

    def __init__(self, run: str, **settings: Any) -> None:
        """Keep what to load."""
        super().__init__(**settings)
        self.run = run

    def setup(self, device: str) -> None:
        """Load the run."""
        from custom_datasets.predicting.config import quiet
        from custom_datasets.predicting.predictor import Predictor

        with quiet():
            self.predictor = Predictor.from_run(self.run)

    def decode_request(self, request: Request) -> bytes:
        """Take the image of the form."""
        form: Any = request  # LitServe hands on what it read of it.
        data: bytes = form['image'].file.read()
        return data

    def batch(self, inputs: list[bytes]) -> list[bytes]:
        """Leave a batch as it is."""
        return inputs

    def predict(self, images: Any) -> Any:
        """Predict on all of a batch."""
        return self.predictor(images, batch_size=len(images))

    def unbatch(self, output: Any) -> Any:
        """Leave it as it is."""
        return output

    def encode_response(self, output: Any) -> Any:
        """Return the boxes."""
        return {'boxes': output.to_dict()}


if __name__ == '__main__':
    run, port, batch, wait = sys.argv[1:]
    api = Detector(run, max_batch_size=int(batch), batch_timeout=float(wait))
    server = litserve.LitServer(api, accelerator='cpu', timeout=60)
    server.run(
        host='127.0.0.1',
        port=int(port),
        log_level='warning',
        generate_client_file=False,
        num_api_servers=1,
    )
