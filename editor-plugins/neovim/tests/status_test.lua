-- What the server can say is visible.
local helpers = require('helpers')
local equal = helpers.equal

local tests = {}

local status = [[
  server.on['lacuna/status'] = function(_, reply)
    reply({ model = { phase = 'ready', name = 'lacuna-small', device = 'cpu', numbers = 'f32', bytes = 26000000,
        loadSeconds = 0.25 }, queue = { waiting = 0, running = 1 }, idleSeconds = 3, sessions = 2, lastSeconds = 0.042,
      version = '0.1', processId = 7,
      settings = { profile = { value = 'quality', source = 'editor' } },
      logPath = '/l/o/g', document = { active = false, reason = 'excluded: .env' } })
  end]]

function tests.the_status_line_says_what_goes_on()
  local child = helpers.attached({
    script = [[server.on['lacuna/say'] = function(params) server.notify('didChangeStatus', params) end]],
  })
  local function say(told, shown)
    child:lua(
      [[local client = vim.lsp.get_clients()[1]
        if vim.fn.has('nvim-0.11') == 1 then client:notify('lacuna/say', ...) else client.notify('lacuna/say', ...) end]],
      told
    )
    child:expect('require("lacuna").status()', shown)
  end
  child:expect('require("lacuna").status()', 'lacuna')
  say({ busy = true, kind = 'Normal', message = 'loading', phase = 'loading', model = 'm' }, 'lacuna loading')
  say({ busy = false, kind = 'Normal', phase = 'ready', device = 'cpu', lastSeconds = 0.042 }, 'lacuna cpu 42 ms')
  say({ busy = true, kind = 'Normal', phase = 'ready', device = 'cpu' }, 'lacuna cpu …')
  say({ busy = false, kind = 'Inactive', message = 'excluded: .env' }, 'lacuna -')
  say({ busy = false, kind = 'Error', message = 'the model is not there' }, 'lacuna !')
  child:stop()
end

function tests.status_shows_model_device_and_why_this_file_is_left_out()
  local child = helpers.attached({ script = status, rows = 20, columns = 80 })
  child:keys(':Lacuna status<CR>')
  local screen = child:wait_told('this file: no suggestions, excluded: .env')
  for _, words in ipairs({ 'lacuna-small, ready', 'device: cpu, numbers: f32', '26.0 MB', '1 running', '42 ms',
    '/l/o/g', 'profile = "quality" (editor)' }) do
    equal(screen:find(words, 1, true) ~= nil, true, words)
  end
  child:stop()
end

function tests.status_without_a_server_says_why()
  local child = helpers.start({ setup = '{ enable = false }' })
  child:type(':Lacuna<CR>')
  child:expect('_G.told', { 'lacuna: switched off; :Lacuna enable switches it on' })
  child:stop()
end

function tests.explain_shows_why_nothing_was_suggested()
  local child = helpers.attached({
    script = [[server.on['workspace/executeCommand'] = function(params, reply)
      if params.command == 'lacuna.explainLast' then
        reply({ uri = 'file:///a/b.py', position = { line = 4, character = 7 }, shown = 0, seconds = 0.05,
          outcome = 'nothing was shown: the model was not sure enough', confidence = 0.12 })
      end
    end]],
  })
  child:keys(':Lacuna explain<CR>')
  local told = child:wait_told('not sure enough')
  equal(told:find('asked at b.py:5:8', 1, true) ~= nil, true)
  equal(told:find('took 50 ms, confidence 0.12', 1, true) ~= nil, true)
  child:stop()
end

function tests.checkhealth_says_how_it_is()
  local child = helpers.attached({ script = status, rows = 60, columns = 100 })
  child:lua('vim.cmd("checkhealth lacuna")')
  local text = table.concat(child:lines(), '\n')
  for _, words in ipairs({
    'suggestions drawn by the plugin',
    'model: lacuna-small, ready',
    'suggestions are on in sample.py',
    'log: ',
  }) do
    equal(text:find(words, 1, true) ~= nil, true, words .. '\n' .. text)
  end
  child:stop()
end

function tests.checkhealth_without_the_program_gives_advice()
  local child = helpers.start({ setup = "{ cmd = { 'no-such-program' } }", rows = 60, columns = 100 })
  child:lua('vim.cmd("checkhealth lacuna")')
  local text = table.concat(child:lines(), '\n')
  equal(text:find("ERROR 'no-such-program' is not a program on this machine", 1, true) ~= nil, true, text)
  child:stop()
end

function tests.sub_commands_complete()
  local child = helpers.start({ setup = '{ enable = false }' })
  child:expect('vim.fn.getcompletion("Lacuna re", "cmdline")', { 'reject', 'restart', 'rewrite' })
  child:expect('vim.fn.getcompletion("Lacuna disable ", "cmdline")', { 'buffer' })
  child:expect('vim.fn.getcompletion("Lacuna next ", "cmdline")', {})
  child:lua('vim.cmd("Lacuna nonsense")')
  equal(child:lua('return _G.told[1]'):find('nonsense', 1, true) ~= nil, true)
  child:stop()
end

return tests
