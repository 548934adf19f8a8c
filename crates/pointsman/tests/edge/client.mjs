// Clients (and one upstream) of the edge tests, with Node's own TLS, HTTP/1.1 and HTTP/2.
// Usage: node client.mjs MODE PORT FOLDER
import { copyFileSync, readFileSync, renameSync } from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import tls from 'node:tls'

const [mode, port, folder] = process.argv.slice(2)
const read = (name) => readFileSync(`${folder}/${name}`)
const trust = (extra = {}) => ({ host: 'localhost', port: Number(port), servername: 'localhost', ca: read('ca.pem'), ...extra })
const body = JSON.stringify({ model: 'sim/hello', messages: [{ role: 'user', content: 'hi' }] })
const path = '/v1/chat/completions'
const headers = { 'content-type': 'application/json' }

// One chat over HTTP/1.1; the status.
const http1 = (module, options) => new Promise((resolve, reject) => {
  const request = module.request({ ...options, path, method: 'POST', headers, agent: false }, (response) => {
    response.resume()
    response.on('end', () => resolve(response.statusCode))
  })
  request.on('error', reject)
  request.end(body)
})

const session = (url, options) => new Promise((resolve, reject) => {
  const opened = http2.connect(url, options)
  opened.on('connect', () => resolve(opened))
  opened.on('error', reject)
})

// One chat on an HTTP/2 session; the status.
const chat = (opened) => new Promise((resolve, reject) => {
  const stream = opened.request({ ':method': 'POST', ':path': path, ...headers })
  let status
  opened.on('error', reject)
  stream.on('response', (answer) => { status = answer[':status'] })
  stream.on('error', reject)
  stream.on('end', () => resolve(status))
  stream.resume()
  stream.end(body)
})

const encrypted = (extra) => session(`https://localhost:${port}`, trust(extra))

// The fingerprint of the certificate that a new connection gets.
const fingerprint = () => new Promise((resolve, reject) => {
  const socket = tls.connect(trust(), () => {
    resolve(socket.getPeerCertificate().fingerprint256)
    socket.end()
  })
  socket.on('error', reject)
})

const modes = {
  async versions() {
    const one = await http1(https, trust({ ALPNProtocols: ['http/1.1'] }))
    const opened = await encrypted()
    const two = await chat(opened)
    opened.close()
    const none = await http1(https, trust({ ALPNProtocols: undefined }))
    const strangers = await encrypted({ ca: undefined }).then(() => false, () => true)
    console.log(`http/1.1 ${one}, h2 ${two}, none ${none}, h2-refuses-strangers ${strangers}`)
  },
  async renewal() {
    const opened = await encrypted()
    await chat(opened)
    const before = await fingerprint()
    for (const [from, to] of [['next.pem', 'cert.pem'], ['next.key', 'key.pem']]) {
      copyFileSync(`${folder}/${from}`, `${folder}/${to}.tmp`)
      renameSync(`${folder}/${to}.tmp`, `${folder}/${to}`)
    }
    // Until the file's change is seen; the test's own limit ends this.
    while (await fingerprint() === before) await new Promise((next) => setImmediate(next))
    console.log(`renewed, same session ${await chat(opened)}`)
    opened.close()
  },
  async mutual() {
    const shown = { cert: read('client.pem'), key: read('client.key') }
    const status = await http1(https, trust(shown))
    const without = await http1(https, trust()).catch(() => 'refused')
    console.log(`with ${status}, without ${without}`)
  },
  async stay() {
    const opened = await encrypted()
    opened.on('close', () => console.log('goodbye'))
    console.log(await chat(opened))
  },
  async 'prior-knowledge'() {
    const opened = await session(`http://localhost:${port}`, { family: 4 })
    const two = await chat(opened).then((status) => status ?? 'failed', () => 'failed')
    opened.destroy()
    const one = await http1(http, { host: '127.0.0.1', port: Number(port), family: 4 })
    console.log(`h2c ${two}, http/1.1 ${one}`)
  },
  upstream() {
    const server = https.createServer({ cert: read('cert.pem'), key: read('key.pem') }, (request, response) => {
      request.resume()
      request.on('end', () => {
        console.log(`${request.method} ${request.url}`)
        response.setHeader('content-type', 'application/json')
        response.end(JSON.stringify({
          id: '1', object: 'chat.completion', created: 1, model: 'm',
          choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'from behind the proxy' } }],
          usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
        }))
      })
    })
    server.listen(Number(port), '127.0.0.1', () => console.log(`listening ${server.address().port}`))
  },
  // Speaks both versions, and says goodbye to each HTTP/2 session at its fourth request.
  provider() {
    const server = http2.createSecureServer({ cert: read('cert.pem'), key: read('key.pem'), allowHTTP1: true })
    server.on('session', (opened) => {
      opened.left = 4
      console.log('session')
    })
    server.on('request', (request, response) => {
      let text = ''
      request.setEncoding('utf8').on('data', (piece) => { text += piece })
      request.on('end', () => {
        const opened = request.httpVersion === '2.0' ? request.stream.session : { left: 0 }
        if (--opened.left === 0) opened.close()
        const answer = { id: '1', created: 1, model: 'm' }
        const content = `over ${request.httpVersion}, ${text.length} bytes`
        if (!JSON.parse(text).stream) {
          response.setHeader('content-type', 'application/json')
          response.end(JSON.stringify({
            ...answer, object: 'chat.completion',
            choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content } }],
            usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
          }))
          return
        }
        response.setHeader('content-type', 'text/event-stream')
        const event = { ...answer, object: 'chat.completion.chunk', choices: [{ index: 0, delta: { content } }] }
        const saying = setInterval(() => response.write(`data: ${JSON.stringify(event)}\n\n`), 5)
        response.on('close', () => {
          clearInterval(saying)
          console.log(`given up: ${request.stream.rstCode}`)
        })
      })
    })
    server.listen(Number(port), '127.0.0.1', () => console.log(`listening ${server.address().port}`))
  },
}

await modes[mode]()
