-- On and off, and the life of the server.
local helpers = require('helpers')
local equal = helpers.equal

local tests = {}

-- Gives an attachment that must not happen the time that one that happens takes at least.
local function expect_no_server(child)
  vim.wait(200)
  equal(child:lua('return #vim.lsp.get_clients()'), 0)
  equal(child:servers(), {})
  equal(child:messages(), {})
end

function tests.off_means_no_process_and_no_request()
  local child = helpers.start({ setup = '{ enable = false }' })
  child:type('ix = 1')
  expect_no_server(child)
  child:expect('require("lacuna").status()', 'lacuna off')
  child:stop()
end

function tests.a_filetype_that_is_off_has_no_server()
  local child = helpers.start({ setup = '{ filetypes = { python = false } }' })
  expect_no_server(child)
  child:stop()
end

function tests.only_named_filetypes()
  local options = { setup = "{ filetypes = { ['*'] = false, lua = true } }" }
  local child = helpers.start(options)
  expect_no_server(child)
  child:stop()
  options.name = 'sample.lua'
  child = helpers.attached(options)
  child:stop()
end

function tests.a_function_may_decide_for_a_filetype()
  local child = helpers.start({ setup = '{ filetypes = { python = function(bufnr) return bufnr == 99 end } }' })
  expect_no_server(child)
  child:stop()
end

function tests.buffers_that_are_no_files_have_no_server()
  for _, command in ipairs({ 'help', 'terminal', 'setlocal buftype=nofile', 'view' }) do
    local child = helpers.start({ setup = '{ enable = false }', name = 'sample.txt' })
    if command == 'view' then
      child:lua('vim.bo.modifiable = false')
    else
      child:lua('vim.cmd((...))', command)
    end
    child:lua('vim.cmd.only() vim.cmd("Lacuna enable")')
    vim.wait(100)
    equal(child:lua('return #vim.lsp.get_clients({ bufnr = 0 })'), 0, command)
    child:stop()
  end
end

function tests.commit_messages_have_no_server_unless_asked_for()
  local child = helpers.start({ name = 'COMMIT_EDITMSG' })
  expect_no_server(child)
  child:lua('vim.cmd("Lacuna enable buffer")')
  child:wait_attached()
  child:stop()
end

function tests.disabling_ends_the_process_and_enabling_starts_it()
  local child = helpers.attached()
  -- Often, because for a moment Neovim still lists a server that has ended.
  for _ = 1, 5 do
    equal(#child:servers(), 1)
    child:lua('vim.cmd("Lacuna disable")')
    child:expect_servers(0)
    equal(child:messages()[#child:messages()].method, 'exit')
    child:lua('vim.cmd("Lacuna toggle")')
    child:wait_attached()
  end
  child:stop()
end

function tests.disabling_one_buffer_leaves_the_others()
  local child = helpers.attached()
  child:lua('vim.cmd.edit(vim.fn.tempname() .. ".lua")')
  child:wait_attached()
  child:lua('vim.cmd("Lacuna disable buffer")')
  child:expect('#vim.lsp.get_clients({ bufnr = 0 })', 0)
  child:expect('vim.fn.maparg("<M-w>", "i")', '')
  child:expect('require("lacuna").status()', 'lacuna off')
  child:lua('vim.cmd.edit((...))', child.file)
  child:expect('#vim.lsp.get_clients({ bufnr = 0 })', 1)
  child:stop()
end

function tests.all_buffers_share_one_server()
  local child = helpers.attached()
  for _ = 1, 3 do
    local folder = vim.fn.tempname()
    vim.fn.mkdir(folder .. '/.git', 'p')
    child:lua('vim.cmd.edit((...))', folder .. '/other.py')
    child:wait_attached()
  end
  equal(#child:servers(), 1)
  child:settle()
  equal(#child:messages('workspace/didChangeWorkspaceFolders'), 3)
  child:stop()
end

function tests.a_server_that_is_killed_comes_back_with_its_documents()
  local child = helpers.attached({ lines = { 'text' } })
  child:type('ggOmore<Esc>')
  local pid = child:servers()[1]
  vim.uv.kill(pid, 'sigkill')
  local opened = child:wait_message('textDocument/didOpen', 2)
  equal(opened.params.textDocument.text, 'more\ntext\n')
  child:expect_servers(1)
  equal(child:servers()[1] ~= pid, true, 'is another process')
  child:stop()
end

function tests.a_server_that_always_ends_is_given_up_with_one_line()
  local child = helpers.start({ cmd = { 'sh', '-c', 'exit 3' } })
  helpers.wait_for(function()
    return #vim.tbl_filter(function(line)
      return line:find(':Lacuna restart', 1, true)
    end, child:lua('return _G.told')) == 1
  end, 'the line')
  child:expect('require("lacuna").status()', 'lacuna !')
  child:stop()
end

function tests.a_server_does_not_outlive_its_editor()
  local child = helpers.attached()
  local pid = child:servers()[1]
  vim.uv.kill(child:lua('return vim.fn.getpid()'), 'sigkill')
  helpers.wait_for(function()
    return not helpers.runs(pid)
  end, 'the end of the server')
  child:stop()
end

function tests.a_missing_program_is_one_line_that_says_what_to_do()
  local child = helpers.start({ setup = "{ cmd = { 'no-such-program' } }" })
  child:lua('vim.cmd.edit(vim.fn.tempname())')
  equal(child:lua('return #_G.told'), 1)
  equal(child:lua('return _G.told[1]'):find('no%-such%-program.*:help lacuna%-install') ~= nil, true)
  child:stop()
end

function tests.vim_lsp_enable_alone_is_enough()
  if vim.fn.has('nvim-0.11') == 0 then
    return 'needs Neovim 0.11'
  end
  local child = helpers.start({
    setup = '{ enable = false }',
    script = [[server.on['textDocument/inlineCompletion'] = function(_, reply) reply({ { insertText = 'one' } }) end]],
  })
  child:lua([[local config = require('lacuna.config').current
    config.enable = true
    vim.api.nvim_del_augroup_by_name('lacuna')
    vim.lsp.enable('lacuna')
    vim.cmd.edit()]])
  child:wait_attached()
  child:keys('ia ')
  child:wait_screen('a one')
  child:stop()
end

function tests.settings_reach_the_server()
  local child = helpers.attached({ setup = "{ settings = { profile = 'exact' } }" })
  equal(child:messages('initialize')[1].params.initializationOptions, { profile = 'exact' })
  equal(child:wait_message('workspace/didChangeConfiguration').params.settings, { lacuna = { profile = 'exact' } })
  child:stop()
end

function tests.setup_refuses_what_it_does_not_know()
  for options, words in pairs({
    ['{ keyz = {} }'] = 'there is no option keyz',
    ['{ keys = { acept = "x" } }'] = 'there is no option keys.acept',
    ['{ keys = { accept = 1 } }'] = 'keys.accept has to be a key or false, not 1',
    ['{ cmd = "lacuna" }'] = 'cmd has to be a list of strings, not "lacuna"',
    ['{ inline = "mine" }'] = 'inline has to be one of plugin, builtin, off, not "mine"',
    ['{ debounce_ms = -1 }'] = 'debounce_ms has to be a whole number from 0, not -1',
    ['{ filetypes = { c = 1 } }'] = 'filetypes.c has to be a boolean or a function, not 1',
    ['{ keys = 1 }'] = 'keys has to be a table',
  }) do
    local child = helpers.start({ setup = options, cmd = { 'unused' } })
    equal(child:lua('return _G.told'), { 'lacuna: ' .. words })
    equal(child:lua('return #vim.lsp.get_clients()'), 0)
    child:stop()
  end
end

function tests.vim_g_lacuna_is_enough_to_start()
  local child = helpers.start({ setup = '{ enable = false }' })
  child:lua([[vim.g.loaded_lacuna, vim.g.lacuna = nil, { enable = false, debounce_ms = 7 }
    vim.cmd('runtime plugin/lacuna.lua')]])
  child:expect('require("lacuna.config").current.debounce_ms', 7)
  child:stop()
end

return tests
