-- A language server that does what a script says: nvim -l server.lua
--   LACUNA_TEST_SCRIPT  a Lua file, called with the server; it sets server.on[METHOD] = function(params, reply, id)
--                       and server.deaf where cancelling is to do nothing
--   LACUNA_TEST_LOG     gets every message from the editor, one JSON text a line
local uv = vim.uv
local input, output = assert(uv.new_pipe()), assert(uv.new_pipe())
input:open(0)
output:open(1)
local log = assert(io.open(os.getenv('LACUNA_TEST_LOG'), 'a'))
log:setvbuf('no')

local server = { on = {}, documents = {}, versions = {}, open = {} }

function server.send(message)
  message.jsonrpc = '2.0'
  local body = vim.json.encode(message)
  output:write(('Content-Length: %d\r\n\r\n%s'):format(#body, body))
end

function server.notify(method, params)
  server.send({ method = method, params = params })
end

function server.later(milliseconds, callback)
  local timer = assert(uv.new_timer())
  timer:start(milliseconds, 0, function()
    timer:close()
    callback()
  end)
end

server.on['initialize'] = function(_, reply)
  reply({
    capabilities = {
      positionEncoding = 'utf-16',
      textDocumentSync = { openClose = true, change = 1 },
      inlineCompletionProvider = true,
      codeActionProvider = true,
      executeCommandProvider = { commands = { 'lacuna.didAccept', 'lacuna.explainLast' } },
      workspace = { workspaceFolders = { supported = true, changeNotifications = true } },
    },
    serverInfo = { name = 'scripted', version = '1' },
  })
end
server.on['shutdown'] = function(_, reply)
  reply(vim.NIL)
end
server.on['exit'] = function()
  os.exit(0)
end
server.on['textDocument/didOpen'] = function(params)
  server.documents[params.textDocument.uri] = params.textDocument.text
  server.versions[params.textDocument.uri] = params.textDocument.version
end
server.on['textDocument/didChange'] = function(params)
  server.documents[params.textDocument.uri] = params.contentChanges[1].text
  server.versions[params.textDocument.uri] = params.textDocument.version
end

local script = os.getenv('LACUNA_TEST_SCRIPT')
if script then
  assert(loadfile(script))(server)
end

local function handle(message)
  local handler = server.on[message.method]
  if message.id and message.method then
    server.open[message.id] = true
    local function reply(result, err)
      if server.open[message.id] then
        server.open[message.id] = nil
        server.send({ id = message.id, result = result, error = err })
      end
    end
    if handler then
      handler(message.params, reply, message.id)
    else
      reply(nil, { code = -32601, message = 'no method ' .. message.method })
    end
  elseif message.method == '$/cancelRequest' then
    local id = message.params.id
    if server.open[id] and not server.deaf then
      server.open[id] = nil
      server.send({ id = id, error = { code = -32800, message = 'cancelled' } })
    end
  elseif handler then
    handler(message.params)
  end
end

local buffer = ''
input:read_start(function(err, data)
  if err or not data then
    os.exit(1)
  end
  buffer = buffer .. data
  while true do
    local head_end, length = select(2, buffer:find('\r\n\r\n', 1, true)), buffer:match('Content%-Length: (%d+)')
    if not head_end or #buffer < head_end + tonumber(length) then
      return
    end
    local body = buffer:sub(head_end + 1, head_end + length)
    buffer = buffer:sub(head_end + length + 1)
    log:write(body, '\n')
    handle(vim.json.decode(body, { luanil = { object = true, array = true } }))
  end
end)
uv.run()
