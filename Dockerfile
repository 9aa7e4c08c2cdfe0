# syntax=docker/dockerfile:1
# docker build -t lastmile .
# For a GPU, with PyPI's own build of torch: docker build -t lastmile:gpu --build-arg TORCH_INDEX=https://pypi.org/simple .

FROM python:3.11.13-slim-bookworm AS build
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_EXTRA_INDEX_URL=$TORCH_INDEX
RUN python -m venv /opt/lastmile
ENV PATH=/opt/lastmile/bin:$PATH
WORKDIR /source
# The dependencies first: this layer stays while only lastmile's own code changes.
COPY pyproject.toml constraints.txt ./
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
      > requirements.txt \
 && pip install --constraint constraints.txt --requirement requirements.txt
COPY README.md LICENSE ./
COPY lastmile lastmile
COPY recipes recipes
RUN pip install --no-deps .

FROM python:3.11.13-slim-bookworm
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libtcmalloc-minimal4 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/lastmile /opt/lastmile
ENV PATH=/opt/lastmile/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    LD_PRELOAD=libtcmalloc_minimal.so.4 \
    HF_HOME=/cache/huggingface \
    LASTMILE_CACHE=/cache/lastmile \
    MPLCONFIGDIR=/cache/matplotlib
# Open to every user id, so that `--user "$(id -u)"` may write to a fresh volume too.
RUN useradd --create-home --uid 1000 lastmile \
 && install --directory --mode 1777 /cache /home/lastmile/runs \
 && chmod 755 /home/lastmile
USER lastmile
WORKDIR /home/lastmile
VOLUME ["/cache", "/home/lastmile/runs"]
ENTRYPOINT ["lastmile"]
CMD ["--help"]
