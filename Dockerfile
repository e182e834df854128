# arc-backup, to run beside Arc's own image, as its user (1000) and in its folder (/app). One version of Node for all: what is compiled fits only that.
ARG NODE=20.20.2
ARG DEBIAN=bookworm

# Compiled here, for Node's headers that the image has: nothing is fetched but from the npm registry.
FROM node:${NODE}-${DEBIAN} AS dependencies
WORKDIR /opt/arc-backup
ENV npm_config_build_from_source=true npm_config_nodedir=/usr/local
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund

FROM node:${NODE}-${DEBIAN} AS build
WORKDIR /opt/arc-backup
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json ./
COPY src src
COPY workers workers
RUN npm run build

FROM debian:${DEBIAN}-slim
COPY --from=dependencies /usr/local/bin/node /usr/local/bin/node
WORKDIR /opt/arc-backup
COPY package.json LICENSE arc.toml ./
COPY --from=dependencies /opt/arc-backup/node_modules node_modules
COPY --from=build /opt/arc-backup/dist dist
# Arc's data, and what volumes of one's own are best for: backups, and the service's records.
RUN install -d -o 1000 -g 1000 /app /app/data && install -d -m 700 -o 1000 -g 1000 /backups /state
ENV NODE_ENV=production \
    ARC_BACKUP_PORT=8010 \
    ARC_BACKUP_LOCAL_PATH=/backups \
    ARC_BACKUP_STATE_PATH=/state
WORKDIR /app
USER 1000:1000
EXPOSE 8010
VOLUME ["/app/data", "/backups", "/state"]
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s --retries=3 \
    CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.ARC_BACKUP_PORT}/health`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "--max-semi-space-size=4", "--enable-source-maps", "/opt/arc-backup/dist/src/main.js"]
CMD ["serve"]
