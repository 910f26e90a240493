# One image for every role; the command says which.
FROM python:3.11-slim
WORKDIR /app
COPY requirements.txt ./
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
RUN pip install --no-cache-dir --no-deps . && useradd --create-home factory \
    && mkdir /data && chown factory /data
USER factory
ENV FACTORY_DATA_DIR=/data
ENTRYPOINT ["factory"]
CMD ["worker", "all"]
