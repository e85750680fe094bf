-- The public functions of the plugin. Nothing happens before setup().
local config = require('lacuna.config')
local state = require('lacuna.state')

local M = {}

local api = vim.api

--- Starts the plugin. Options: see :help lacuna-options. May be called again with other options.
---@param options table?
function M.setup(options)
  local problem = config.apply(options)
  if problem then
    state.problem = problem
    state.tell(problem, vim.log.levels.ERROR)
    return
  end
  local client_of = require('lacuna.client')
  local draw = require('lacuna.draw')
  draw.highlights()
  local group = api.nvim_create_augroup('lacuna', {})
  api.nvim_create_autocmd('ColorScheme', { group = group, callback = draw.highlights })
  api.nvim_create_autocmd('FileType', {
    group = group,
    callback = function(event)
      -- The new filetype may be one that is switched off.
      client_of.detach(event.buf)
      client_of.attach(event.buf)
    end,
  })
  api.nvim_create_autocmd('BufEnter', {
    group = group,
    callback = function(event)
      client_of.attach(event.buf)
      client_of.ask_document(event.buf)
    end,
  })
  vim.lsp.commands['lacuna.previewFill'] = function(command)
    local data = command.arguments[1]
    require('lacuna.fill').start({ what = data.what, range = data.range, strength = data.strength }, data.version)
  end
  -- Menus of other plugins that draw where a suggestion would be.
  api.nvim_create_autocmd('User', {
    group = group,
    pattern = { 'BlinkCmpMenuOpen', 'BlinkCmpMenuClose' },
    callback = function(event)
      vim.b.lacuna_suggestion_hidden = event.match == 'BlinkCmpMenuOpen'
    end,
  })
  client_of.refresh()
end

--- What draws suggestions; it has accept(), cycle(), dismiss(), trigger() and visible().
function M.inline()
  return require(config.current.inline == 'builtin' and 'lacuna.builtin' or 'lacuna.ghost')
end

--- For own mappings. Each says whether there was a suggestion, so that an expr mapping can do something else.
function M.accept()
  return M.inline().accept('all')
end
function M.accept_word()
  return M.inline().accept('word')
end
function M.accept_line()
  return M.inline().accept('line')
end
function M.next()
  return M.inline().cycle(1)
end
function M.previous()
  return M.inline().cycle(-1)
end
function M.dismiss()
  return M.inline().dismiss()
end
function M.trigger()
  return M.inline().trigger()
end
function M.visible()
  return M.inline().visible(api.nvim_get_current_buf())
end

--- For a status line: a few words, empty where the plugin has nothing to do.
---@return string
function M.status()
  local bufnr = api.nvim_get_current_buf()
  local client_of = require('lacuna.client')
  if not client_of.get(bufnr) then
    if state.problem and client_of.wanted(bufnr) then
      return 'lacuna !'
    end
    return vim.bo[bufnr].buftype == '' and 'lacuna off' or ''
  end
  local fill = state.fills[bufnr]
  if fill then
    return fill.running and 'lacuna filling' or ('lacuna %d holes'):format(#fill.holes)
  end
  local status = state.status
  if not status then
    return state.left_out[bufnr] and 'lacuna -' or 'lacuna'
  elseif status.kind == 'Error' then
    return 'lacuna !'
  elseif status.kind == 'Inactive' or state.left_out[bufnr] then
    return 'lacuna -'
  elseif status.phase == 'loading' then
    return 'lacuna loading'
  end
  local seconds = status.lastSeconds
  local last = seconds and seconds > 0 and (' %.0f ms'):format(seconds * 1000) or ''
  return ('lacuna%s%s%s'):format(status.device and (' ' .. status.device) or '', last, status.busy and ' …' or '')
end

--- Where Neovim and the server write what went wrong.
function M.log_path()
  return vim.lsp.log and vim.lsp.log.get_filename and vim.lsp.log.get_filename() or vim.lsp.get_log_path()
end

--- What the server says of itself, as lines.
---@param status table result of `lacuna/status`
---@return string[]
function M.describe(status)
  local lines = {}
  local function add(...)
    table.insert(lines, (...):format(select(2, ...)))
  end
  local model, queue = status.model or {}, status.queue or {}
  add('model: %s, %s', (model.name or '') ~= '' and model.name or 'not loaded yet', model.phase or 'unknown')
  if (model.problem or '') ~= '' then
    add('problem: %s', model.problem)
  end
  if (model.device or '') ~= '' then
    add('device: %s, numbers: %s', model.device, model.numbers or '?')
  end
  if (model.bytes or 0) > 0 then
    add('size: %.1f MB, loaded in %.2f s', model.bytes / 1e6, model.loadSeconds or 0)
  end
  add('work: %d running, %d waiting, idle for %.0f s', queue.running or 0, queue.waiting or 0, status.idleSeconds or 0)
  if (status.lastSeconds or 0) > 0 then
    add('last suggestion: %.0f ms', status.lastSeconds * 1000)
  end
  add(
    'server: lacuna %s, process %s, %s sessions',
    status.version or '?',
    status.processId or '?',
    status.sessions or 1
  )
  for name, setting in vim.spairs(status.settings or {}) do
    add('setting: %s = %s (%s)', name, vim.json.encode(setting.value), setting.source)
  end
  if status.logPath then
    add('log: %s', status.logPath)
  end
  if status.document and not status.document.active then
    add('this file: no suggestions, %s', status.document.reason or 'no reason given')
  end
  return lines
end

function M.show_status()
  local client_of = require('lacuna.client')
  local bufnr = api.nvim_get_current_buf()
  local client = client_of.get(bufnr)
  if not client then
    local wanted, reason = client_of.wanted(bufnr)
    state.tell(not wanted and reason or state.problem or 'the server is starting')
    return
  end
  client_of.request(client, 'lacuna/status', { textDocument = client_of.document(bufnr) }, function(err, result)
    local lines = err and { err.message } or M.describe(result)
    api.nvim_echo({ { 'lacuna: ' .. table.concat(lines, '\n  ') } }, true, {})
  end, bufnr)
end

return M
