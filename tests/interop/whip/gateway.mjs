// One address for Debian's simple-whip-server and npm's janus-whep-server: /whip/NAME publishes, /whep/NAME plays what
// NAME publishes. Both servers want each endpoint made beforehand, and the second the publisher's number in the room,
// which a meeting does not know. So endpoints are made here when somebody asks, who is then sent on by a redirect.
//
// node gateway.mjs HOST PORT JANUS_URL ROOM WHIP_PORT WHEP_PORT TOKEN

import { createServer } from 'node:http';
import VideoRoom from 'janode/plugins/videoroom';
import { JanusWhepServer } from 'janus-whep-server';

const [host, port, janus, room, whipPort, whepPort, token] = process.argv.slice(2);
const whip = `http://${host}:${whipPort}/whip`;
const whep = new JanusWhepServer({
  janus: { address: janus },
  rest: { port: Number(whepPort), basePath: '/whep' },
  debug: 'warn',
});

async function publishAt(name) {
  const endpoint = { id: name, room: Number(room), label: name, token };
  const headers = { 'content-type': 'application/json' };
  // An endpoint that is there already is refused, and good enough.
  await fetch(`${whip}/create`, { method: 'POST', headers, body: JSON.stringify(endpoint) });
  return `${whip}/endpoint/${name}`;
}

async function playAt(name) {
  const handle = await whep.janus.attach(VideoRoom);
  const { participants } = await handle.listParticipants({ room: Number(room) });
  await handle.detach();
  const found = participants.find((one) => one.display === name && one.publisher);
  if (!found) return undefined;
  const id = `${name}-${found.feed}`;
  if (!whep.getEndpoint({ id }))
    whep.createEndpoint({ id, plugin: 'videoroom', room: Number(room), feed: found.feed, token });
  return `http://${host}:${whepPort}/whep/endpoint/${id}`;
}

await whep.start();
createServer(async (request, response) => {
  const [, kind, name] = request.url.split('/');
  const find = { whip: publishAt, whep: playAt }[kind];
  try {
    const location = find && request.method === 'POST' ? await find(name) : undefined;
    response.writeHead(location ? 307 : 404, location ? { location } : {});
  } catch {
    response.writeHead(503);
  }
  response.end();
}).listen(Number(port), host);
