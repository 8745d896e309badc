# The HTTP API of a trained model (docs/serve.md). The run is mounted, not copied:
#   docker build -t tagger .
#   docker run --rm -p 8000:8000 -v "$PWD/work_dirs/sample:/model:ro" tagger
FROM python:3.11-slim-bookworm

# OpenCV's libraries.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libgl1 libglib2.0-0 \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /app
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 MMCV_WITH_OPS=0
COPY requirements requirements
RUN pip install --requirement requirements/build.txt

# An index of PyTorch for CPUs; without one, PyTorch brings CUDA, for GPUs.
ARG TORCH_INDEX=
RUN cp requirements/onedl.txt locked.txt \
 && if [ -n "$TORCH_INDEX" ]; then \
      pip install --index-url "$TORCH_INDEX" \
        $(grep -E '^(torch|torchvision)==' locked.txt) \
      && sed -i -E '/^(nvidia-|cuda-|triton)/d' locked.txt; \
    fi \
 && pip install --no-deps --build-constraint requirements/build.txt \
      --requirement locked.txt --requirement requirements/serve.txt

COPY setup.py pyproject.toml README.md LICENSE ./
COPY custom_datasets custom_datasets
COPY configs configs
COPY tools tools
RUN pip install --no-deps --no-build-isolation --editable .

# Matplotlib keeps its list of fonts below the home of whoever runs this.
ENV HOME=/tmp
USER 1000
EXPOSE 8000
HEALTHCHECK --start-period=60s CMD ["python", "-c", \
  "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health')"]
ENTRYPOINT ["python", "tools/serve.py", "/model", "--host", "0.0.0.0"]
