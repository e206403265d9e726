FROM python:3.13-slim AS packages
COPY requirements.txt /
RUN python -m venv /venv \
 && /venv/bin/python -m pip install --no-cache-dir --require-hashes --requirement /requirements.txt

FROM python:3.13-slim
# The program `claimd` is what an installation would make of it; building a package here would need
# a build backend that is not among the locked packages.
RUN useradd --system --uid 10001 --home-dir /nonexistent claimd \
 && printf '#!/bin/sh\nexec python -P -m worker.cli.main "$@"\n' > /usr/local/bin/claimd \
 && chmod 755 /usr/local/bin/claimd
COPY --from=packages /venv /venv
COPY worker /app/worker
COPY api_stub /app/api_stub
ENV PATH=/venv/bin:$PATH PYTHONPATH=/app PYTHONUNBUFFERED=1
RUN python -m compileall -q /app
USER claimd
WORKDIR /tmp
EXPOSE 8000 5555
ENTRYPOINT ["claimd"]
CMD ["--help"]
