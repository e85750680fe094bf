-- :checkhealth lacuna
local M = {}

local health = vim.health

local function check_program(config)
  local program = config.cmd[1]
  if vim.fn.executable(program) == 0 then
    health.error(("'%s' is not a program on this machine"):format(program), {
      'build Lacuna and put it on the PATH,',
      "or set cmd = { '/path/to/lacuna', 'lsp' }: see :help lacuna-install",
    })
    return
  end
  local answer = vim.system({ program, '--version' }, { text = true, timeout = 10000 }):wait()
  local version = vim.trim(answer.stdout or '')
  if answer.code == 0 and version ~= '' then
    health.ok(('%s is %s'):format(vim.fn.exepath(program), version))
  else
    health.warn(('%s --version failed'):format(vim.fn.exepath(program)))
  end
end

local function check_server(client)
  local answer
  require('lacuna.client').request(client, 'lacuna/status', vim.empty_dict(), function(err, result)
    answer = { err = err, result = result }
  end)
  vim.wait(10000, function()
    return answer ~= nil
  end, 20)
  if not answer then
    health.error('the server does not answer', { ':Lacuna restart', ':Lacuna log' })
  elseif answer.err then
    health.error('the server cannot say how it is: ' .. answer.err.message, { 'is it an older version?' })
  else
    local report = (answer.result.model or {}).phase == 'failed' and health.error or health.ok
    report(table.concat(require('lacuna').describe(answer.result), '\n  '))
  end
  if client.offset_encoding ~= 'utf-16' then
    health.warn(('positions are in %s: Neovim may warn about other servers'):format(client.offset_encoding))
  end
end

local function check_keys(keys)
  local taken = {}
  for name, key in pairs(keys) do
    if key then
      local other = vim.fn.maparg(key, 'i', false, true)
      if next(other) and not vim.startswith(other.desc or '', 'lacuna:') then
        table.insert(taken, ('%s (%s) is also mapped to %s'):format(key, name, other.desc or other.rhs or 'a function'))
      end
    end
  end
  if #taken == 0 then
    health.ok('no key of insert mode is mapped to something else as well')
  else
    table.sort(taken)
    health.info(table.concat(taken, '\n  ') .. '\n  Without a suggestion these keys do what they did before.')
  end
end

function M.check()
  local config = require('lacuna.config').current
  local client_of = require('lacuna.client')
  local state = require('lacuna.state')
  health.start('lacuna')
  local version = vim.version()
  health.ok(
    ('Neovim %d.%d.%d; suggestions drawn by %s'):format(
      version.major,
      version.minor,
      version.patch,
      config.inline == 'builtin' and 'Neovim' or 'the plugin'
    )
  )
  check_program(config)
  local client = client_of.get()
  if client then
    check_server(client)
  else
    health.info('no server runs; it starts with the first buffer that is to have suggestions')
  end
  check_keys(config.keys)
  -- checkhealth has made its own buffer current.
  local bufnr = vim.fn.bufnr('#')
  if bufnr > 0 then
    local wanted, reason = client_of.wanted(bufnr)
    local name = vim.fn.fnamemodify(vim.api.nvim_buf_get_name(bufnr), ':t')
    if wanted then
      health.info(('suggestions are on in %s'):format(name))
    else
      health.info(('no suggestions in %s: %s'):format(name, reason))
    end
  end
  if state.problem then
    health.warn('last problem: ' .. state.problem)
  end
  health.info('log: ' .. require('lacuna').log_path())
end

return M
