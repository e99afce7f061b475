// Reads streams, one a line, as hexadecimal digits, and prints what llhttp, the parser inside
// Node.js, makes of each, in the format of tests/unit/http_driver.c; behind more and stop stands
// nothing, behind error llhttp's name of it.
'use strict';

process.noDeprecation = true;

function findParser() {
  try {
    return process.binding('http_parser').HTTPParser;
  } catch {
    return require('_http_common').HTTPParser;
  }
}

const HTTPParser = findParser();
const methods = { 1: 'GET', 2: 'HEAD', 3: 'POST' }; // llhttp's numbers

function hex(buffer) {
  return buffer.length === 0 ? '.' : buffer.toString('hex');
}

// Path and query; of a target in absolute-form, what stands behind the authority.
function split(url) {
  const absolute = /^https?:\/\/[^/?]*/i.exec(url);
  const rest = absolute === null ? url : url.slice(absolute[0].length);
  const mark = rest.indexOf('?');
  const path = (mark < 0 ? rest : rest.slice(0, mark)) || '/';
  const query = mark < 0 ? '-' : hex(Buffer.from(rest.slice(mark + 1), 'latin1'));
  return hex(Buffer.from(path, 'latin1')) + ' ' + query;
}

function parseStream(bytes) {
  const parser = new HTTPParser();
  let out = '';
  let stopped = false;
  let early = ''; // the target, where there are too many fields for one call
  let head = null; // of the request whose content comes
  let content = [];

  parser.initialize(HTTPParser.REQUEST, {});
  parser[HTTPParser.kOnHeaders] = (fields, url) => {
    if (head === null) { // else it is about trailers
      early += url;
    }
  };
  parser[HTTPParser.kOnHeadersComplete] =
    (major, minor, fields, method, url, status, reason, upgrade, keepAlive) => {
      head = { minor, upgrade, keepAlive, method: methods[method] || 'OTHER' };
      head.url = early + (url === undefined ? '' : url);
      early = '';
      content = [];
      return 0;
    };
  parser[HTTPParser.kOnBody] = (buffer, offset, length) => {
    const whole = offset === undefined;
    content.push(Buffer.from(whole ? buffer : buffer.subarray(offset, offset + length)));
  };
  parser[HTTPParser.kOnMessageComplete] = () => {
    if (!stopped) {
      out += `take ${head.method} ${head.minor} ${head.keepAlive ? 1 : 0} ${split(head.url)} ` +
        `${hex(Buffer.concat(content))};`;
      stopped = !head.keepAlive || head.upgrade;
      head = null;
    }
  };
  const result = parser.execute(bytes);
  if (stopped) {
    return out + 'stop';
  }
  return out + (result instanceof Error ? 'error ' + result.code : 'more');
}

const input = require('fs').readFileSync(0, 'latin1');
const lines = input.split('\n');
lines.pop(); // behind the last line's end
process.stdout.write(lines.map((line) => parseStream(Buffer.from(line, 'hex')) + '\n').join(''));
