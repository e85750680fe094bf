-- With the real language server, its daemon, and the model that ships with them. LACUNA_PROGRAM names the program.
-- What so small a model writes is its own affair: no test depends on it.
local helpers = require('helpers')
local equal = helpers.equal

local program = os.getenv('LACUNA_PROGRAM')
local sample = { 'def add(a, b):', '    return a + b', '', 'def sub(a, b):', '    return a - b' }

local tests = {}

--- A test with a daemon of its own; `open(options)` opens an editor on it.
local function with_daemon(body)
  return function()
    if not program then
      return 'LACUNA_PROGRAM is not set'
    end
    local folder = vim.fn.tempname()
    vim.fn.mkdir(folder, 'p')
    local socket = folder .. '/daemon.sock'
    local children = {}
    local function open(options)
      options = vim.tbl_extend('keep', options or {}, { lines = sample, rows = 30, columns = 100 })
      options.cmd = vim.list_extend({ program, 'lsp', '--socket', socket }, options.arguments or {})
      options.setup = ('{ enable = %s, settings = { inlineCompletion = { minConfidence = 0 } } }'):format(
        options.off and 'false' or 'true'
      )
      local child = (options.off and helpers.start or helpers.attached)(options)
      table.insert(children, child)
      return child
    end
    local ok, problem = xpcall(body, debug.traceback, open, socket)
    for _, child in ipairs(children) do
      child:stop()
    end
    for _, pid in ipairs(helpers.processes_with(socket)) do
      vim.uv.kill(pid, 'sigkill')
    end
    vim.fn.delete(folder, 'rf')
    if not ok then
      error(problem, 0)
    end
  end
end

--- Daemons, and the servers between them and the editors, of this test.
local function processes(socket)
  local daemons, servers = {}, {}
  for _, pid in ipairs(helpers.processes_with(socket)) do
    local line = helpers.command_line(pid)
    if line:find(' serve ', 1, true) then
      table.insert(daemons, pid)
    elseif line:find(' lsp ', 1, true) then
      table.insert(servers, pid)
    end
  end
  return daemons, servers
end

local function expect_processes(socket, daemons, servers)
  helpers.eventually(function()
    local now = { processes(socket) }
    return { #now[1], #now[2] }
  end, { daemons, servers }, 'daemons and servers')
end

local function text(child)
  return table.concat(child:lines(), '\n')
end

--- Waits until the last request for a suggestion is answered. Returns what is suggested, if anything is.
local function answered(child)
  child:settle()
  helpers.wait_for(function()
    return child:lua([[local ghost = require('lacuna.state').ghosts[vim.api.nvim_get_current_buf()]
      return ghost ~= nil and ghost.request == nil and not ghost.timer:is_active()]])
  end, 'an answer')
  return child:lua([[local ghost = require('lacuna.state').ghosts[vim.api.nvim_get_current_buf()]
    return require('lacuna').visible() and ghost.offers[ghost.index].text or nil]])
end

--- An empty last line, without the indentation that a filetype would give it.
local function new_line(child)
  child:type('<Esc>')
  child:lua([[vim.api.nvim_buf_set_lines(0, -1, -1, false, { '' })
    vim.api.nvim_win_set_cursor(0, { vim.api.nvim_buf_line_count(0), 0 })]])
end

local beginnings = { '    return ', '    total = ', 'print(', '    for ', 'x = ', 'if ', 'def ', 'import ' }

--- Types, in a last line of its own, something at which there is a suggestion, and stays in insert mode.
--- @param fits (fun(suggested: string): boolean)? says whether that suggestion will do
local function suggestion(child, fits)
  for _, beginning in ipairs(beginnings) do
    new_line(child)
    child:type('A' .. beginning)
    local suggested = answered(child)
    if type(suggested) == 'string' and (not fits or fits(suggested)) then
      return suggested
    end
  end
  error('at none of the places is there a suggestion that will do\n' .. child:lua('return vim.fn.execute("messages")'))
end

local function begins_with_a_letter(suggested)
  return suggested:find('^[%w_(]') ~= nil and #suggested > 1
end

tests.a_suggestion_is_drawn_and_not_written = with_daemon(function(open)
  local child = open()
  local suggested = suggestion(child, function(suggested)
    return suggested:find('^[%w%p ]+$') ~= nil and not suggested:find(' $')
  end)
  local lines = child:lines()
  child:wait_screen(lines[#lines] .. suggested)
  child:settle()
  equal(child:lines(), lines)
end)

tests.it_is_typed_through_and_comes_back_without_a_request = with_daemon(function(open)
  local child = open()
  local suggested = suggestion(child, begins_with_a_letter)
  local before = text(child)
  local function requests()
    return #vim.tbl_filter(function(name)
      return name == 'LacunaRequestStarted'
    end, child:lua('return _G.events'))
  end
  local count = requests()
  child:type(suggested:sub(1, 1))
  equal(text(child), before .. suggested:sub(1, 1))
  equal(answered(child), suggested)
  child:type('<BS>')
  equal(text(child), before)
  equal(answered(child), suggested)
  equal(requests(), count)
end)

tests.all_of_it_is_accepted_undone_and_redone = with_daemon(function(open)
  local child = open()
  local suggested = suggestion(child)
  local before = text(child)
  child:type('<Tab>')
  equal(text(child), before .. suggested)
  child:type('<Esc>u')
  equal(text(child), before)
  child:type('<C-r>')
  equal(text(child), before .. suggested)
end)

tests.word_and_line_and_rest_are_the_same_text = with_daemon(function(open)
  local child = open()
  local all = suggestion(child, begins_with_a_letter)
  all = text(child) .. all
  for _, key in ipairs({ '<M-w>', '<M-j>', '<Tab>' }) do
    local before = text(child)
    if before ~= all then
      child:type(key)
      local after = text(child)
      equal(#after > #before and vim.startswith(all, after), true, key .. '\n' .. after .. '\nof\n' .. all)
    end
  end
  -- A line at a time from here, had the suggestion more than two.
  for _ = 1, 100 do
    if text(child) == all then
      return
    end
    child:type('<M-j>')
  end
  equal(text(child), all)
end)

tests.alternatives_differ_and_go_round = with_daemon(function(open)
  local child = open()
  local texts
  local function shown()
    return child:lua([[local ghost = require('lacuna.state').ghosts[vim.api.nvim_get_current_buf()]
      return ghost.offers[ghost.index].text]])
  end
  suggestion(child, function()
    child:type('<M-]>')
    answered(child)
    texts = child:lua([[local ghost = require('lacuna.state').ghosts[vim.api.nvim_get_current_buf()]
      return vim.tbl_map(function(offer) return offer.text end, ghost.offers)]])
    return #texts > 1
  end)
  for index, one in ipairs(texts) do
    for other = index + 1, #texts do
      equal(one ~= texts[other], true, 'two are the same')
    end
  end
  equal(shown(), texts[1])
  child:type('<M-]>')
  equal(shown(), texts[2])
  child:type('<M-[>')
  equal(shown(), texts[1])
  child:type('<M-[>')
  equal(shown(), texts[#texts])
  local before = text(child)
  child:type('<Tab>')
  equal(text(child), before .. texts[#texts])
end)

tests.what_is_shown_while_typing_fits_what_was_typed = with_daemon(function(open)
  local child = open()
  child:type('Go')
  local shown = 0
  for key in ('for name in names: print(name, 1)'):gmatch('.') do
    child:keys(key)
    vim.wait(15)
    local ghost = child:lua([[
      if not require('lacuna').visible() then return nil end
      local ghost = require('lacuna.state').ghosts[vim.api.nvim_get_current_buf()]
      local offer = ghost.offers[ghost.index]
      local column = vim.api.nvim_win_get_cursor(0)[2]
      return { whole = ghost.asked.prefix:sub(1, offer.start) .. offer.text,
        typed = vim.api.nvim_get_current_line():sub(1, column) }]])
    if ghost ~= vim.NIL then
      shown = shown + 1
      equal(ghost.whole:sub(1, #ghost.typed), ghost.typed, 'a suggestion for another text')
    end
  end
  helpers.eventually(function()
    return vim.trim(child:lua('return vim.api.nvim_get_current_line()'))
  end, 'for name in names: print(name, 1)')
  answered(child)
  local place = child:lua('return vim.api.nvim_win_get_cursor(0)')
  child:type('<Esc>:Lacuna explain<CR>')
  child:wait_told('asked at sample.py:')
  local told = child:wait_told(('asked at sample.py:%d:'):format(place[1]))
  equal(tonumber(told:match('asked at sample.py:%d+:(%d+)')) <= place[2] + 1, true, told)
end)

tests.emoji_left_of_the_cursor_stay_whole = with_daemon(function(open)
  local child = open({ lines = { '' } })
  for _, beginning in ipairs({ 's = "😀é中" + ', 'print("👩‍👩‍👧 é", ', 't = ["ａ", ', 'if "é" == ' }) do
    new_line(child)
    child:type('A' .. beginning)
    local before = text(child)
    local suggested = answered(child)
    if type(suggested) == 'string' then
      child:type('<Tab>')
      equal(text(child), before .. suggested)
      return
    end
  end
  error('nothing was suggested behind an emoji')
end)

tests.two_holes_are_filled_together_and_undone_together = with_daemon(function(open)
  local child = open({ lines = { 'def add(a, b):', '    return ⟦?⟧', '', 'def sub(a, b):', '    return ⟦?⟧', '' } })
  local before = text(child)
  child:lua('vim.cmd("Lacuna fill")')
  child:wait_event('LacunaFillReady')
  child:wait_event('LacunaFillStep')
  child:expect('require("lacuna").status()', 'lacuna 2 holes')
  equal(text(child), before)
  child:type('gA')
  equal(text(child):find('⟦', 1, true), nil)
  child:wait_event('LacunaFillDone')
  child:type('u')
  equal(text(child), before)
end)

tests.one_hole_is_accepted_and_one_rejected = with_daemon(function(open)
  local child = open({ lines = { 'a = ⟦?⟧', 'middle = 1', 'b = ⟦?⟧', '' } })
  child:lua('vim.cmd("Lacuna fill")')
  child:wait_event('LacunaFillReady')
  child:type('gg]l')
  equal(child:lua('return vim.api.nvim_win_get_cursor(0)'), { 1, 4 })
  child:type('gs]lga')
  local lines = child:lines()
  equal(lines[1], 'a = ⟦?⟧')
  equal(lines[2], 'middle = 1')
  equal(lines[3]:find('⟦', 1, true), nil)
  equal(vim.startswith(lines[3], 'b = '), true)
  child:wait_event('LacunaFillDone')
end)

tests.an_edit_during_a_fill_is_not_overwritten = with_daemon(function(open)
  local child = open({ lines = { 'a = ⟦?⟧', '' } })
  child:lua('vim.cmd("Lacuna fill")')
  child:type('Goedit<Esc>')
  equal(child:lines(), { 'a = ⟦?⟧', '', 'edit' })
  child:settle()
  -- Whatever comes of that fill now: nothing of it can be applied.
  child:lua('vim.cmd("Lacuna accept!")')
  equal(child:lines(), { 'a = ⟦?⟧', '', 'edit' })
end)

tests.windows_line_ends_stay = with_daemon(function(open)
  local child = open({ lines = { 'def f(a):\r', '    ⟦?⟧\r', '    return a\r', '' }, binary = true })
  equal(child:lua('return vim.bo.fileformat'), 'dos')
  child:lua('vim.cmd("Lacuna fill")')
  child:wait_event('LacunaFillReady')
  child:type('gA:w<CR>')
  child:expect('vim.bo.modified', false)
  local handle = assert(io.open(child.file, 'rb'))
  local written = handle:read('*a')
  handle:close()
  equal(written:find('⟦', 1, true), nil)
  local _, ends = written:gsub('\n', '')
  local _, windows = written:gsub('\r\n', '')
  local _, returns = written:gsub('\r', '')
  equal({ windows, returns }, { ends, ends })
end)

tests.a_rewrite_is_shown_beside_the_text_and_rejected = with_daemon(function(open)
  local child = open()
  child:type('5G:Lacuna rewrite<CR>')
  child:wait_event('LacunaFillReady')
  child:expect('#vim.api.nvim_list_wins()', 2)
  equal(child:lua('return vim.wo.diff'), true)
  equal(child:lines(), sample)
  child:type('gS')
  child:expect('#vim.api.nvim_list_wins()', 1)
  equal(child:lines(), sample)
end)

tests.a_rewrite_of_a_selection_is_accepted_and_undone = with_daemon(function(open)
  local child = open()
  child:type('2GV:Lacuna rewrite<CR>')
  child:wait_event('LacunaFillReady')
  local proposal = child:lua('return vim.api.nvim_buf_get_lines(vim.fn.winbufnr(2), 0, -1, false)')
  child:type('gA')
  child:expect_lines(proposal)
  child:type('u')
  equal(child:lines(), sample)
end)

tests.off_means_no_process = with_daemon(function(open, socket)
  local child = open({ off = true })
  child:type('Go    return ')
  vim.wait(300)
  equal(helpers.processes_with(socket), {})
  child:type('<Esc>:Lacuna enable<CR>')
  child:wait_attached()
  expect_processes(socket, 1, 1)
  child:type(':Lacuna disable<CR>')
  expect_processes(socket, 1, 0) -- the daemon is everybody's, and ends when nobody has needed it for a while
  child:type(':Lacuna enable<CR>')
  child:wait_attached()
  child:type(':Lacuna shutdown<CR>')
  expect_processes(socket, 0, 0)
end)

tests.three_editors_share_one_daemon = with_daemon(function(open, socket)
  local children = { open(), open(), open() }
  for _, child in ipairs(children) do
    suggestion(child)
  end
  expect_processes(socket, 1, 3)
  children[1]:type('<Esc>:Lacuna status<CR>')
  children[1]:wait_told('3 sessions')
  children[2]:stop()
  children[3]:stop()
  expect_processes(socket, 1, 1)
  suggestion(children[1])
end)

tests.a_killed_daemon_comes_back_behind_the_same_editor = with_daemon(function(open, socket)
  local child = open()
  suggestion(child)
  local before = child:lines()
  local daemons, servers = processes(socket)
  vim.uv.kill(daemons[1], 'sigkill')
  helpers.wait_for(function()
    local now = processes(socket)
    return #now == 1 and now[1] ~= daemons[1]
  end, 'another daemon')
  suggestion(child)
  local lines = child:lines()
  equal(vim.list_slice(lines, 1, #before), before)
  equal({ select(2, processes(socket)) }, { servers }, 'the server of the editor is the same')
  equal(child:lua('return _G.told'), {})
end)

tests.a_fill_outlives_its_daemon = with_daemon(function(open, socket)
  local child = open({ lines = { 'def add(a, b):', '    return ⟦?⟧', '' } })
  child:lua('vim.cmd("Lacuna fill")')
  local daemons = processes(socket)
  vim.uv.kill(daemons[1], 'sigkill')
  child:wait_event('LacunaFillReady')
  child:type('gA')
  equal(text(child):find('⟦', 1, true), nil)
end)

tests.a_killed_server_comes_back = with_daemon(function(open, socket)
  local child = open()
  suggestion(child)
  local _, before = processes(socket)
  vim.uv.kill(before[1], 'sigkill')
  helpers.wait_for(function()
    local _, now = processes(socket)
    return #now == 1 and now[1] ~= before[1]
  end, 'another server')
  child:wait_attached()
  suggestion(child)
  expect_processes(socket, 1, 1)
end)

tests.an_editor_that_is_killed_leaves_no_process = with_daemon(function(open, socket)
  local child = open()
  expect_processes(socket, 1, 1)
  vim.uv.kill(child:lua('return vim.fn.getpid()'), 'sigkill')
  expect_processes(socket, 1, 0)
end)

tests.no_process_has_a_socket_of_the_internet = with_daemon(function(open, socket)
  local child = open()
  suggestion(child)
  local internet = {}
  for _, name in ipairs({ 'tcp', 'tcp6', 'udp', 'udp6' }) do
    local handle = io.open('/proc/net/' .. name)
    for line in handle and handle:lines() or function() end do
      internet[line:match('^%s*%d+:%s+%S+%s+%S+%s+%S+%s+%S+%s+%S+%s+%S+%s+%d+%s+%d+%s+(%d+)') or ''] = line
    end
    if handle then
      handle:close()
    end
  end
  local sockets = 0
  for _, pid in ipairs(helpers.processes_with(socket)) do
    for name in vim.fs.dir(('/proc/%d/fd'):format(pid)) do
      local inode = (vim.uv.fs_readlink(('/proc/%d/fd/%s'):format(pid, name)) or ''):match('^socket:%[(%d+)%]$')
      if inode then
        sockets = sockets + 1
        equal(internet[inode], nil)
      end
    end
  end
  equal(sockets > 0, true, 'there are sockets, between the processes')
end)

tests.a_file_with_secrets_is_silent_and_says_why = with_daemon(function(open)
  local child = open({ name = '.env', lines = { 'KEY=value', '' } })
  child:type('GiTOKEN=')
  child:wait_event('LacunaRequestFinished')
  equal(answered(child), vim.NIL)
  child:type('<Esc>:Lacuna explain<CR>')
  child:wait_told('secrets')
  child:expect('require("lacuna").status()', 'lacuna -')
end)

tests.a_file_that_is_too_large_is_silent_and_says_why = with_daemon(function(open)
  local lines = {}
  for index = 1, 100000 do
    lines[index] = ('value_%d = "%s"'):format(index, ('x'):rep(40))
  end
  local child = open({ lines = lines })
  child:type('Gox = ')
  equal(answered(child), vim.NIL)
  child:type('<Esc>:Lacuna explain<CR>')
  child:wait_told('MiB')
end)

tests.a_very_long_line_is_no_trouble = with_daemon(function(open)
  local child = open({ lines = { 'x = [' .. ('1234567, '):rep(2500) .. ']', '' } })
  child:type('A + ')
  answered(child)
  suggestion(child)
end)

tests.an_unloaded_model_is_loaded_for_the_next_request = with_daemon(function(open)
  local child = open()
  suggestion(child)
  -- While it computes something ahead of us it is not unloaded.
  helpers.wait_for(function()
    child:type('<Esc>:Lacuna unload<CR>:Lacuna status<CR>')
    child:settle()
    return child:lua('return vim.fn.execute("messages")'):find('unloaded', 1, true)
  end, 'the end of the model')
  child:type(':messages clear<CR>')
  suggestion(child)
  child:type('<Esc>:Lacuna status<CR>')
  child:wait_told('ready')
end)

tests.a_model_that_is_not_there_is_told = with_daemon(function(open)
  local child = open({ arguments = { '--model', '/no/such/model' } })
  child:type('Go    return ')
  equal(answered(child), vim.NIL)
  child:expect('require("lacuna").status()', 'lacuna !')
  child:type('<Esc>:Lacuna status<CR>')
  child:wait_told('/no/such/model')
end)

tests.status_names_the_model_and_the_device = with_daemon(function(open)
  local child = open()
  suggestion(child)
  child:expect('require("lacuna").status():match("^lacuna cpu %d+ ms$") ~= nil', true, 'the status line')
  child:type('<Esc>:Lacuna status<CR>')
  local told = child:wait_told('ready')
  for _, words in ipairs({ 'model: ', 'device: cpu', '1 sessions' }) do
    equal(told:find(words, 1, true) ~= nil, true, words .. '\n' .. told)
  end
end)

return tests
