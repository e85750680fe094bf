-- With the real language server and the model that ships with it. LACUNA_PROGRAM names the program.
local helpers = require('helpers')
local equal = helpers.equal

local program = os.getenv('LACUNA_PROGRAM')
local settings = '{ settings = { inlineCompletion = { minConfidence = 0 } } }'

local tests = {}

local function with_daemon(body)
  return function()
    if not program then
      return 'LACUNA_PROGRAM is not set'
    end
    local folder = vim.fn.tempname()
    vim.fn.mkdir(folder, 'p')
    local socket = folder .. '/daemon.sock'
    local cmd = { program, 'lsp', '--socket', socket }
    local children = {}
    local function open(options)
      local child = helpers.attached(vim.tbl_extend('keep', options or {}, {
        cmd = cmd,
        setup = settings,
        lines = { 'def add(a, b):', '    return a + b', '', 'def sub(a, b):', '' },
      }))
      table.insert(children, child)
      return child
    end
    local ok, problem = xpcall(body, debug.traceback, open, socket)
    for _, child in ipairs(children) do
      child:stop()
    end
    for _, pid in ipairs(helpers.processes_with(socket)) do
      vim.uv.kill(pid, 'sigterm')
    end
    vim.fn.delete(folder, 'rf')
    if not ok then
      error(problem, 0)
    end
  end
end

local function daemons(socket)
  return vim.tbl_filter(function(pid)
    return (helpers.command_line(pid)):find(' serve ', 1, true)
  end, helpers.processes_with(socket))
end

local function wait_suggestion(child)
  helpers.wait_for(function()
    return child:lua('return require("lacuna").visible()')
  end, function()
    return 'a suggestion\n' .. child:lua('return vim.fn.execute("messages")')
  end)
  return child:lua([[local ghost = require('lacuna.state').ghosts[vim.api.nvim_get_current_buf()]
    return ghost.offers[ghost.index].text]])
end

local function text(child)
  return table.concat(child:lines(), '\n')
end

tests.a_suggestion_is_typed_through_accepted_and_undone = with_daemon(function(open)
  local child = open()
  child:keys('G2kA<CR>    return ')
  local suggested = wait_suggestion(child)
  local before = text(child)
  local first = vim.fn.strcharpart(suggested, 0, 1)
  if not first:find('[%c\n]') then
    child:lua('vim.api.nvim_input((...))', first == '<' and '<LT>' or first)
    helpers.wait_for(function()
      return text(child) ~= before
    end, 'the typed character')
    child:keys('<BS>')
    helpers.wait_for(function()
      return text(child) == before
    end, 'the text as it was')
    equal(wait_suggestion(child), suggested)
  end
  child:type('<Tab>')
  local after = text(child)
  equal(#after, #before + #suggested)
  child:type('<Esc>u')
  equal(text(child), before)
end)

tests.two_holes_are_filled_together_and_undone_together = with_daemon(function(open)
  local child = open({ lines = { 'def add(a, b):', '    return ⟦?⟧', '', 'def sub(a, b):', '    return ⟦?⟧', '' } })
  local before = text(child)
  child:lua('vim.cmd("Lacuna fill")')
  child:wait_event('LacunaFillReady')
  equal(text(child), before)
  child:type('gA')
  equal(text(child):find('⟦', 1, true), nil)
  equal(child:event('LacunaFillDone'), true)
  child:type('u')
  equal(text(child), before)
end)

tests.an_edit_during_a_fill_is_not_overwritten = with_daemon(function(open)
  local child = open({ lines = { 'a = ⟦?⟧', '' } })
  child:lua('vim.cmd("Lacuna fill")')
  child:type('Goedit<Esc>')
  equal(child:lines(), { 'a = ⟦?⟧', '', 'edit' })
  vim.wait(500)
  equal(child:lines(), { 'a = ⟦?⟧', '', 'edit' })
end)

tests.a_rewrite_of_a_selection_is_shown_and_rejected = with_daemon(function(open)
  local child = open()
  local before = text(child)
  child:type('2GV:Lacuna fill<CR>')
  child:wait_event('LacunaFillReady')
  child:type('gS')
  equal(text(child), before)
end)

tests.three_editors_share_one_daemon = with_daemon(function(open, socket)
  for _ = 1, 3 do
    open()
  end
  equal(#daemons(socket), 1)
end)

tests.a_killed_daemon_comes_back_behind_the_same_editor = with_daemon(function(open, socket)
  local child = open()
  child:keys('G2kA<CR>    return ')
  wait_suggestion(child)
  local pid = daemons(socket)[1]
  vim.uv.kill(pid, 'sigkill')
  child:keys('<Esc>')
  helpers.wait_for(function()
    local now = daemons(socket)[1]
    return now and now ~= pid
  end, 'another daemon')
  child:keys('A<BS> ')
  wait_suggestion(child)
  equal(#child:lua('return _G.told'), 0)
end)

tests.disabled_means_no_process_of_ours = with_daemon(function(open, socket)
  local child = open()
  child:lua('vim.cmd("Lacuna disable")')
  helpers.wait_for(function()
    return #child:servers() == 0
  end, 'the end of the server')
  equal(#daemons(socket) <= 1, true)
end)

tests.an_editor_that_is_killed_leaves_no_process = with_daemon(function(open, socket)
  local child = open()
  vim.uv.kill(child:lua('return vim.fn.getpid()'), 'sigkill')
  helpers.wait_for(function()
    return #helpers.processes_with(socket) == #daemons(socket)
  end, 'the end of the server')
end)

tests.a_file_with_secrets_is_silent_and_says_why = with_daemon(function(open)
  local child = open({ name = '.env', lines = { 'KEY=value', '' } })
  child:keys('GiTOKEN=')
  child:wait_event('LacunaRequestFinished')
  equal(child:lua('return require("lacuna").visible()'), false)
  child:keys('<Esc>:Lacuna explain<CR>')
  child:wait_told('secrets')
end)

tests.status_names_the_model_and_the_device = with_daemon(function(open)
  local child = open({ rows = 20, columns = 80 })
  child:keys('G2kA<CR>    return ')
  wait_suggestion(child)
  child:keys('<Esc>:Lacuna status<CR>')
  child:wait_told('lacuna-small, ready')
end)

return tests
