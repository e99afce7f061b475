// Node's http: it reads the content, and replies. node_server.js PORT
'use strict';
const http = require('http');

const HANDLED = '{"actionCode":0,"errCode":0,"errMsg":"","errDlt":"","nextCode":0}';
const HEAD = { 'Content-Type': 'application/json', 'Content-Length': HANDLED.length };

const server = http.createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    response.writeHead(200, HEAD);
    response.end(HANDLED);
  });
});
server.keepAliveTimeout = 0;
server.listen(Number(process.argv[2]), '127.0.0.1');
