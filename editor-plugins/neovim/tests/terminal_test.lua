-- In a real terminal: Neovim under tmux, as a user sees it.
local helpers = require('helpers')

local tests = {}

local function tmux(socket, ...)
  local answer = vim.system({ 'tmux', '-S', socket, '-f', '/dev/null', ... }, { text = true }):wait()
  return answer.code == 0 and answer.stdout or nil
end

function tests.a_suggestion_is_seen_and_accepted_and_the_file_saved()
  if vim.fn.executable('tmux') == 0 then
    return 'needs tmux'
  end
  local folder = vim.fn.tempname()
  vim.fn.mkdir(folder, 'p')
  local here = vim.fn.fnamemodify(debug.getinfo(1, 'S').source:sub(2), ':p:h')
  local file, socket = folder .. '/sample.txt', folder .. '/tmux'
  vim.fn.writefile({ 'first' }, file)
  vim.fn.writefile({
    'local server = ...',
    "server.on['textDocument/inlineCompletion'] = function(_, reply) reply({ { insertText = 'seen by all' } }) end",
  }, folder .. '/script.lua')
  vim.fn.writefile({
    ('vim.opt.runtimepath:prepend(%q)'):format(vim.fn.fnamemodify(here, ':h')),
    "vim.cmd('runtime plugin/lacuna.lua')",
    ("require('lacuna').setup({ cmd = { %q, '--clean', '-l', %q } })"):format(vim.v.progpath, here .. '/server.lua'),
  }, folder .. '/init.lua')
  local command = table.concat({
    'env HOME=@ XDG_STATE_HOME=@ LACUNA_TEST_SCRIPT=@/script.lua LACUNA_TEST_LOG=@/log',
    vim.v.progpath,
    '-n -u @/init.lua @/sample.txt',
  }, ' '):gsub('@', folder)
  assert(tmux(socket, 'new-session', '-d', '-x', '60', '-y', '12', command))
  local function wait(words)
    helpers.wait_for(function()
      return (tmux(socket, 'capture-pane', '-p') or ''):find(words, 1, true)
    end, words)
  end
  wait('first')
  tmux(socket, 'send-keys', 'o')
  wait('seen by all')
  tmux(socket, 'send-keys', 'Tab', '!')
  wait('seen by all!')
  wait('-- INSERT --')
  tmux(socket, 'send-keys', 'Escape')
  -- An Escape that other keys follow at once would be Alt with the first of them.
  helpers.wait_for(function()
    return not (tmux(socket, 'capture-pane', '-p') or '-- INSERT --'):find('-- INSERT --', 1, true)
  end, 'the end of insert mode')
  tmux(socket, 'send-keys', ':wq', 'Enter')
  helpers.wait_for(function()
    return vim.deep_equal(vim.fn.readfile(file), { 'first', 'seen by all!' })
  end, 'the saved file')
  tmux(socket, 'kill-server')
  vim.fn.delete(folder, 'rf')
end

return tests
