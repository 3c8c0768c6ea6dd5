// SPDX-License-Identifier: MIT
// A web server on node's event loop.
//
//	node serve.js PORT DIRECTORY [WORKERS]
//
//	GET /NAME       the file, from memory if it is small, else read while it is sent
//	GET /cat/NAME   the same, through a pipe from a child process
//	POST /          what is sent comes back while it is sent
//
// With WORKERS the primary accepts, and hands each connection to one of so many
// processes over a socket.  SIGTERM, to the primary, ends it with 0 when nobody is
// served any more.
"use strict";
const { spawn } = require("child_process");
const cluster = require("cluster");
const fs = require("fs");
const http = require("http");
const path = require("path");

const [port, directory, workers] = process.argv.slice(2);
const KEPT_IN_MEMORY = 65536;
const kept = new Map();

function stream(response, length, source) {
	response.writeHead(200, { "Content-Length": length });
	source.pipe(response);
}

function sendFile(response, name) {
	if (kept.has(name)) {
		response.writeHead(200, { "Content-Length": kept.get(name).length });
		response.end(kept.get(name));
		return;
	}
	const file = path.join(directory, name);
	stream(response, fs.statSync(file).size, fs.createReadStream(file));
}

function sendByChild(response, name) {
	const file = path.join(directory, name);
	const child = spawn("cat", [file], { stdio: ["ignore", "pipe", "inherit"] });
	stream(response, fs.statSync(file).size, child.stdout);
}

function answer(request, response) {
	const [, first, second] = request.url.split("/");
	if (request.method === "POST")
		stream(response, request.headers["content-length"], request);
	else if (first === "cat")
		sendByChild(response, second);
	else
		sendFile(response, first);
}

function keepSmallFiles() {
	for (const name of fs.readdirSync(directory)) {
		const file = path.join(directory, name);
		if (fs.statSync(file).size <= KEPT_IN_MEMORY)
			kept.set(name, fs.readFileSync(file));
	}
}

function serve() {
	keepSmallFiles();
	const server = http.createServer({ keepAliveTimeout: 0, noDelay: true }, answer);
	server.listen({ port, host: "127.0.0.1", backlog: 1024 });
	process.on("SIGTERM", () => {
		server.close();
		server.closeIdleConnections();
	});
	process.on("disconnect", () => server.closeIdleConnections());
}

function direct() {
	for (let i = 0; i < workers; i++)
		cluster.fork();
	process.on("SIGTERM", () => cluster.disconnect());
	cluster.on("exit", (_worker, status, signal) => {
		if (status !== 0)
			throw new Error(`a worker ends with ${signal ?? status}`);
	});
}

if (workers && cluster.isPrimary)
	direct();
else
	serve();
