-- The one language server for all buffers: which buffers have it, its start, its end, and messages to and from it.
local config = require('lacuna.config')
local state = require('lacuna.state')

local M = {}

local has_0_11 = vim.fn.has('nvim-0.11') == 1

-- A server that ends by itself is started again so often within so many seconds, as VS Code does.
local max_restarts, restart_window = 4, 180

local restarts = {} ---@type number[] times in seconds
-- Clients that we asked to end or that have ended: Neovim lists them for a while longer.
local gone = {} ---@type table<integer, boolean>

--- Whether this buffer is to have suggestions, and if not, why.
---@param bufnr integer
---@return boolean wanted, string? reason
function M.wanted(bufnr)
  if not vim.api.nvim_buf_is_loaded(bufnr) then
    return false, 'the buffer is not loaded'
  end
  local buffer = vim.bo[bufnr]
  if buffer.buftype ~= '' then
    return false, ("this is a buffer of the kind '%s', not a file"):format(buffer.buftype)
  end
  if not buffer.modifiable then
    return false, 'the buffer cannot be changed'
  end
  local enabled = state.enabled
  if enabled == nil then
    enabled = config.current.enable
  end
  if not enabled then
    return false, 'switched off; :Lacuna enable switches it on'
  end
  if vim.b[bufnr].lacuna_enabled ~= nil then
    if vim.b[bufnr].lacuna_enabled then
      return true
    end
    return false, 'switched off in this buffer; :Lacuna enable buffer switches it on'
  end
  local switch = config.current.filetypes[buffer.filetype]
  if switch == nil then
    switch = config.current.filetypes['*']
  end
  if type(switch) == 'function' then
    switch = switch(bufnr)
  end
  if not switch then
    return false, ("switched off for filetype '%s'"):format(buffer.filetype)
  end
  return true
end

--- The client of a buffer, or any if no buffer is given.
---@param bufnr integer?
---@return vim.lsp.Client?
function M.get(bufnr)
  for _, client in ipairs(vim.lsp.get_clients({ bufnr = bufnr, name = 'lacuna' })) do
    if not gone[client.id] then
      return client
    end
  end
end

---@return integer? id of the request
function M.request(client, method, params, handler, bufnr)
  local ok, id
  if has_0_11 then
    ok, id = client:request(method, params, handler, bufnr)
  else
    ok, id = client.request(method, params, handler, bufnr)
  end
  return ok and id or nil
end

function M.cancel(client, id)
  if has_0_11 then
    client:cancel_request(id)
  else
    client.cancel_request(id)
  end
end

function M.notify(client, method, params)
  if has_0_11 then
    client:notify(method, params)
  else
    client.notify(method, params)
  end
end

--- A command of the server; `handler(problem, result)`.
function M.execute(client, command, arguments, handler)
  M.request(client, 'workspace/executeCommand', { command = command, arguments = arguments }, function(err, result)
    if handler then
      handler(err and (err.message or vim.inspect(err)), result)
    end
  end)
end

---@return {uri: string, version: integer} of the text as the server knows it
function M.document(bufnr)
  return { uri = vim.uri_from_bufnr(bufnr), version = vim.lsp.util.buf_versions[bufnr] }
end

local function root_of(bufnr)
  return vim.fs.root(bufnr, { '.lacuna.json', '.lacunaignore', '.git' })
end

local function capabilities()
  local result = vim.lsp.protocol.make_client_capabilities()
  result.general = result.general or {}
  -- The encoding of every other server: Neovim warns when the clients of one buffer differ.
  result.general.positionEncodings = { 'utf-16' }
  result.textDocument.inlineCompletion = { dynamicRegistration = false }
  result.experimental = { lacuna = { previewFill = true } }
  return result
end

local default_progress = vim.lsp.handlers['$/progress']

local handlers = {
  didChangeStatus = function(_, status)
    state.status = status
    if status.kind == 'Error' then
      state.problem = status.message
    end
    state.event('LacunaStatusChanged', status)
    vim.cmd.redrawstatus()
  end,
  -- Steps of our own fills; anything else is the progress that Neovim shows.
  ['$/progress'] = function(err, params, ...)
    if not require('lacuna.fill').on_step(params) then
      return default_progress(err, params, ...)
    end
  end,
}

local function drawer()
  return require(config.current.inline == 'builtin' and 'lacuna.builtin' or 'lacuna.ghost')
end

local function forget(bufnr)
  require('lacuna.ghost').detach(bufnr)
  require('lacuna.builtin').detach(bufnr)
  require('lacuna.fill').reset(bufnr)
  require('lacuna.keys').unmap(bufnr)
  state.left_out[bufnr] = nil
end

--- Asks the server whether it suggests anything in a buffer; what it says is in the status line.
---@param bufnr integer
function M.ask_document(bufnr)
  local client = M.get(bufnr)
  if not client then
    return
  end
  M.notify(client, 'textDocument/didFocus', { textDocument = { uri = vim.uri_from_bufnr(bufnr) } })
  M.request(client, 'lacuna/status', { textDocument = M.document(bufnr) }, function(err, result)
    local document = not err and result and result.document
    if document then
      state.left_out[bufnr] = not document.active and (document.reason or 'no reason given') or nil
      vim.cmd.redrawstatus()
    end
  end, bufnr)
end

local function on_attach(client, bufnr)
  M.ask_document(bufnr)
  if config.current.inline ~= 'off' then
    drawer().attach(client, bufnr)
    require('lacuna.keys').map(bufnr)
  end
end

local function on_exit(code, signal, id)
  local asked = gone[id]
  gone[id] = true
  vim.schedule(function()
    state.status = nil
    for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
      if not M.get(bufnr) then
        forget(bufnr)
      end
    end
    if asked or (code == 0 and signal == 0) or vim.v.exiting ~= vim.NIL then
      return
    end
    state.problem = ('the language server ended (exit code %d, signal %d)'):format(code, signal)
    local now = vim.uv.now() / 1000
    restarts = vim.tbl_filter(function(time)
      return now - time < restart_window
    end, restarts)
    if #restarts >= max_restarts then
      state.tell(state.problem .. ' again and again; :Lacuna restart tries once more', vim.log.levels.WARN)
      return
    end
    table.insert(restarts, now)
    vim.defer_fn(M.refresh, 100 * 2 ^ #restarts)
  end)
end

--- What vim.lsp.start() and vim.lsp.config() need.
function M.server_config()
  local settings = config.current.settings
  return {
    name = 'lacuna',
    cmd = config.current.cmd,
    -- For vim.lsp.enable(): a buffer that is not wanted is not attached.
    root_dir = function(bufnr, on_dir)
      if M.wanted(bufnr) then
        on_dir(root_of(bufnr))
      end
    end,
    reuse_client = function(client, other)
      return client.name == other.name and not gone[client.id]
    end,
    init_options = next(settings) and settings or vim.empty_dict(),
    settings = { lacuna = next(settings) and settings or vim.empty_dict() },
    capabilities = capabilities(),
    handlers = handlers,
    on_attach = on_attach,
    on_exit = on_exit,
  }
end

local function add_folder(client, root)
  local uri = root and vim.uri_from_fname(root)
  if not uri then
    return
  end
  for _, folder in ipairs(client.workspace_folders or {}) do
    if folder.uri == uri then
      return
    end
  end
  local folder = { uri = uri, name = root }
  client.workspace_folders = client.workspace_folders or {}
  table.insert(client.workspace_folders, folder)
  M.notify(client, 'workspace/didChangeWorkspaceFolders', { event = { added = { folder }, removed = {} } })
end

--- Gives a buffer the server, and starts the server for the first one.
---@param bufnr integer
function M.attach(bufnr)
  if M.get(bufnr) or not M.wanted(bufnr) then
    return
  end
  local program = config.current.cmd[1]
  if vim.fn.executable(program) == 0 then
    state.problem = ("'%s' is not a program on this machine; set cmd, see :help lacuna-install"):format(program)
    vim.notify_once('lacuna: ' .. state.problem, vim.log.levels.WARN)
    return
  end
  local running = M.get()
  local server = M.server_config()
  local root = root_of(bufnr)
  server.root_dir = root
  vim.lsp.start(server, { bufnr = bufnr, reuse_client = server.reuse_client })
  if running and running.initialized then
    add_folder(running, root)
  end
end

local function stop(client)
  gone[client.id] = true
  if has_0_11 then
    client:stop()
  else
    client.stop()
  end
end

function M.detach(bufnr)
  local client = M.get(bufnr)
  if client then
    forget(bufnr)
    vim.lsp.buf_detach_client(bufnr, client.id)
  end
end

--- Attaches and detaches until every buffer has what wanted() says; without buffers no server runs.
function M.refresh()
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    if not M.wanted(bufnr) then
      M.detach(bufnr)
    elseif vim.bo[bufnr].buflisted then
      M.attach(bufnr)
    end
  end
  local client = M.get()
  if client and next(client.attached_buffers) == nil then
    stop(client)
  end
end

--- Ends our server and the daemon. Off until it is switched on again.
function M.shutdown()
  state.enabled = false
  M.refresh()
  -- A server that still has its editor when the daemon ends starts another daemon. So this is sent by a server of its
  -- own, with the end of that in the same piece.
  local messages = {
    { id = 1, method = 'initialize', params = { processId = vim.NIL, capabilities = vim.empty_dict() } },
    { method = 'initialized', params = vim.empty_dict() },
    { id = 2, method = 'workspace/executeCommand', params = { command = 'lacuna.shutdownDaemon', arguments = {} } },
    { id = 3, method = 'shutdown' },
    { method = 'exit' },
  }
  local text = ''
  for _, message in ipairs(messages) do
    message.jsonrpc = '2.0'
    local body = vim.json.encode(message)
    text = text .. ('Content-Length: %d\r\n\r\n%s'):format(#body, body)
  end
  local options = { stdin = true, stdout = false, stderr = false, timeout = 10000 }
  vim.system(config.current.cmd, options, function() end):write(text)
end

function M.restart()
  restarts = {}
  local client = M.get()
  if client then
    for bufnr in pairs(client.attached_buffers) do
      forget(bufnr)
    end
    stop(client)
  end
  M.refresh()
end

return M
