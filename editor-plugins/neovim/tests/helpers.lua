-- A Neovim of its own for each test, with the plugin and a scripted server: keys in, screen and messages out.
local M = {}

local here = vim.fn.fnamemodify(debug.getinfo(1, 'S').source:sub(2), ':p:h')
local plugin = vim.fn.fnamemodify(here, ':h')

-- How long to wait for something that has to come. Nothing waits that long when tests pass; a machine that does
-- ten other things needs seconds to start an editor.
local patience = tonumber(os.getenv('LACUNA_TEST_PATIENCE_MS') or 60000)

local Child = {}
Child.__index = Child

--- Waits until `condition` gives a true value, and returns that.
function M.wait_for(condition, what)
  local value
  vim.wait(patience, function()
    value = condition()
    return value
  end, 10)
  if not value then
    error('did not come: ' .. (type(what) == 'function' and what() or what), 2)
  end
  return value
end

function M.equal(actual, expected, what)
  if not vim.deep_equal(actual, expected) then
    error(('%s\n  expected %s\n  got      %s'):format(what or 'differs', vim.inspect(expected), vim.inspect(actual)), 2)
  end
end

--- Waits until `read` gives what is expected. What an editor and a server do takes a while, and how long is not ours
--- to say: compare at once, with equal(), only what cannot change any more.
function M.eventually(read, expected, what)
  local actual
  local came = vim.wait(patience, function()
    actual = read()
    return vim.deep_equal(actual, expected)
  end, 10)
  if not came then
    M.equal(actual, expected, what)
  end
end

--- @param options {script?: string, setup?: string, before?: string, lines?: string[], name?: string, cmd?: string[]}
---   script: body of the server's script; setup: a Lua table as text; before: Lua that runs before setup;
---   lines, name: the file that is open
function M.start(options)
  options = options or {}
  local folder = vim.fn.tempname()
  vim.fn.mkdir(folder .. '/home', 'p')
  local self = setmetatable({ folder = folder, log = folder .. '/log' }, Child)
  local script = folder .. '/script.lua'
  vim.fn.writefile(vim.split('local server = ...\n' .. (options.script or ''), '\n'), script)
  vim.fn.writefile({}, self.log)
  self.file = folder .. '/' .. (options.name or 'sample.py')
  vim.fn.writefile(options.lines or { '' }, self.file, options.binary and 'b' or '')
  self.channel = vim.fn.jobstart({ vim.v.progpath, '--clean', '-n', '--embed', '--headless' }, {
    rpc = true,
    env = {
      LACUNA_TEST_SCRIPT = script,
      LACUNA_TEST_LOG = self.log,
      HOME = folder .. '/home',
      XDG_STATE_HOME = folder .. '/home',
      XDG_DATA_HOME = folder .. '/home',
      XDG_CONFIG_HOME = folder .. '/home',
    },
  })
  self:lua(
    [[local plugin, columns, lines = ...
      vim.o.columns, vim.o.lines = columns, lines
      vim.g.loaded_python3_provider = 0 -- the ftplugin of Python looks for it, which takes seconds
      vim.o.laststatus, vim.o.ruler, vim.o.showmode, vim.o.shortmess = 0, false, false, 'aAIFTWcCo'
      vim.o.expandtab, vim.o.shiftwidth, vim.o.swapfile = true, 4, false
      vim.o.runtimepath = plugin .. ',' .. vim.o.runtimepath
      _G.events = {}
      vim.api.nvim_create_autocmd('User', { pattern = 'Lacuna*', callback = function(event)
        table.insert(_G.events, event.match) end })
      _G.told = {}
      vim.notify = function(message) table.insert(_G.told, message) end
      _G.typed = 0
      vim.keymap.set({ 'n', 'i', 'x', 's', 'o', 'c', 't' }, '<Plug>(lacuna-test-typed)',
        '<Cmd>lua _G.typed = _G.typed + 1<CR>')
      vim.cmd('runtime plugin/lacuna.lua')]],
    plugin,
    options.columns or 50,
    options.rows or 12
  )
  self:lua(options.before or '')
  self:lua('vim.cmd.edit((...))', self.file)
  local cmd = options.cmd or { vim.v.progpath, '--clean', '-l', here .. '/server.lua' }
  self:lua(
    ('local options = %s; options.cmd = options.cmd or ...; options.debounce_ms = options.debounce_ms or 1\n'):format(
      options.setup or '{}'
    ) .. 'require("lacuna").setup(options)',
    cmd
  )
  return self
end

--- Starts, and waits for the server.
function M.attached(options)
  local child = M.start(options)
  child:wait_attached()
  return child
end

function Child:lua(code, ...)
  return vim.rpcrequest(self.channel, 'nvim_exec_lua', code, { ... })
end

function Child:keys(keys)
  vim.rpcrequest(self.channel, 'nvim_input', keys)
end

--- Keys, and then all that they caused in the editor. Neovim may answer a request between two keys
--- of those that wait, so a mapping behind them says when they are done.
function Child:type(keys)
  local before = self:lua(
    [[local typed = _G.typed
      vim.api.nvim_feedkeys(vim.keycode((...)), 't', false)
      vim.api.nvim_feedkeys(vim.keycode('<Plug>(lacuna-test-typed)'), 'm', false)
      return typed]],
    keys
  )
  M.wait_for(function()
    return self:lua('return _G.typed') > before
  end, 'the end of the keys ' .. keys)
  self:lua('vim.cmd.redraw()')
end

function Child:wait_attached()
  M.wait_for(function()
    return self:lua([[local client = vim.lsp.get_clients({ bufnr = 0, name = 'lacuna' })[1]
      return client and client.initialized or false]])
  end, 'an attached server')
end

function Child:lines()
  return self:lua('return vim.api.nvim_buf_get_lines(0, 0, -1, false)')
end

--- Waits until the buffer has these lines.
function Child:expect_lines(lines)
  M.eventually(function()
    return self:lines()
  end, lines, 'lines of the buffer')
end

--- Waits until an expression has this value in the editor.
function Child:expect(expression, value, what)
  M.eventually(function()
    return self:lua('return ' .. expression)
  end, value, what or expression)
end

--- Waits until all is done that the text and the cursor of now give rise to: a request that was put off is sent, and
--- the server has read all that the editor has sent. After this, what did not happen does not happen any more.
function Child:settle()
  self:lua([[_G.settled = false
    vim.defer_fn(function()
      local client = vim.lsp.get_clients({ name = 'lacuna' })[1]
      local function done() _G.settled = true end
      if vim.fn.has('nvim-0.11') == 1 then client:request('lacuna/no-such-method', {}, done)
      else client.request('lacuna/no-such-method', {}, done) end
    end, require('lacuna.config').current.debounce_ms + 1)]])
  self:expect('_G.settled', true)
end

--- What is on the screen, without blanks at the ends and without empty rows.
function Child:screen()
  return self:lua([[vim.cmd.redraw()
    local rows = {}
    for row = 1, vim.o.lines do
      local cells = {}
      for column = 1, vim.o.columns do cells[column] = vim.fn.screenstring(row, column) end
      local text = table.concat(cells):gsub('%s+$', '')
      if text ~= '' and not text:match('^~') then table.insert(rows, text) end
    end
    return rows]])
end

--- Waits until the screen shows these rows and no others.
function Child:expect_screen(rows)
  M.eventually(function()
    return self:screen()
  end, rows, 'rows of the screen')
end

function Child:wait_screen(text)
  M.wait_for(function()
    return vim.tbl_contains(self:screen(), text)
  end, function()
    return text .. '\non the screen:\n' .. table.concat(self:screen(), '\n')
  end)
end

--- Waits for a message to the user with these words in it, and returns all messages.
function Child:wait_told(words)
  return M.wait_for(function()
    local told = self:lua('return vim.fn.execute("messages")')
    return told:find(words, 1, true) and told
  end, words)
end

--- Messages that the server got, by method if one is given. A line that has no end yet is still being written.
function Child:messages(method)
  local found = {}
  local log = assert(io.open(self.log, 'rb'))
  local text = log:read('*a')
  log:close()
  for line in text:gmatch('([^\n]*)\n') do
    local message = vim.json.decode(line)
    if not method or message.method == method then
      table.insert(found, message)
    end
  end
  return found
end

function Child:wait_message(method, count)
  return M.wait_for(function()
    local found = self:messages(method)
    return #found >= (count or 1) and found[#found]
  end, method)
end

function Child:event(name)
  return vim.tbl_contains(self:lua('return _G.events'), name)
end

function Child:wait_event(name)
  M.wait_for(function()
    return self:event(name)
  end, name)
end

--- Process ids of servers that this Neovim has started and that still run.
function Child:servers()
  local pid = self:lua('return vim.fn.getpid()')
  local found = {}
  for _, child in ipairs(self:lua('return vim.api.nvim_get_proc_children((...))', pid)) do
    table.insert(found, child)
  end
  return found
end

function Child:expect_servers(count)
  M.eventually(function()
    return #self:servers()
  end, count, 'servers of this editor')
end

function M.command_line(pid)
  local handle = io.open(('/proc/%d/cmdline'):format(pid), 'rb')
  if not handle then
    return ''
  end
  local line = handle:read('*a'):gsub('%z', ' ')
  handle:close()
  return line
end

--- Whether a process still does something. One that has ended but that nobody has asked about does not.
function M.runs(pid)
  return M.command_line(pid) ~= ''
end

--- Ids of processes, but this one, whose command line has these words.
function M.processes_with(words)
  local found = {}
  for name in vim.fs.dir('/proc') do
    local pid = tonumber(name)
    if pid and pid ~= vim.fn.getpid() and M.command_line(pid):find(words, 1, true) then
      table.insert(found, pid)
    end
  end
  return found
end

function Child:stop()
  vim.fn.jobstop(self.channel)
  vim.fn.delete(self.folder, 'rf')
end

return M
