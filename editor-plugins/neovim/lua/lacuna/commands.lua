-- :Lacuna and its sub-commands.
local client_of = require('lacuna.client')
local fill = require('lacuna.fill')
local positions = require('lacuna.positions')
local state = require('lacuna.state')

local M = {}

local api = vim.api

--- The range of the command: the selection where it was one, whole lines otherwise.
local function selection(command)
  local bufnr = api.nvim_get_current_buf()
  local client = client_of.get(bufnr)
  local encoding = client and client.offset_encoding or 'utf-16'
  local row, column = command.line1 - 1, 0
  local end_row = command.line2 - 1
  local end_column = #api.nvim_buf_get_lines(bufnr, end_row, end_row + 1, true)[1]
  local from, to = api.nvim_buf_get_mark(bufnr, '<'), api.nvim_buf_get_mark(bufnr, '>')
  if vim.fn.visualmode() == 'v' and from[1] == command.line1 and to[1] == command.line2 then
    column = from[2]
    -- The mark is on the first byte of the last character.
    local line = api.nvim_buf_get_lines(bufnr, end_row, end_row + 1, true)[1]
    local last = vim.fn.matchstr(line, '.', math.min(to[2], #line))
    end_column = math.min(to[2] + #last, end_column)
  end
  return {
    start = positions.to_protocol(bufnr, row, column, encoding),
    ['end'] = positions.to_protocol(bufnr, end_row, end_column, encoding),
  }
end

--- The cursor, as an empty range.
local function here()
  local bufnr = api.nvim_get_current_buf()
  local client = client_of.get(bufnr)
  local row, column = unpack(api.nvim_win_get_cursor(0))
  local place = positions.to_protocol(bufnr, row - 1, column, client and client.offset_encoding or 'utf-16')
  return { start = place, ['end'] = place }
end

local function switch(on)
  return function(_, scope)
    local bufnr = api.nvim_get_current_buf()
    if scope == 'buffer' then
      vim.b[bufnr].lacuna_enabled = on == nil and not client_of.wanted(bufnr) or on or false
    else
      if on == nil then
        local now = state.enabled
        if now == nil then
          now = require('lacuna.config').current.enable
        end
        state.enabled = not now
      else
        state.enabled = on
      end
    end
    client_of.refresh()
  end
end

--- Runs a command of the server. `show` makes lines of its answer.
---@param show (fun(result: table): string[])?
local function ask(name, arguments, show)
  local client = client_of.get(api.nvim_get_current_buf()) or client_of.get()
  if not client then
    state.tell(select(2, client_of.wanted(api.nvim_get_current_buf())) or state.problem or 'the server is not running')
    return
  end
  client_of.execute(client, name, arguments, function(problem, result)
    if problem then
      state.tell(problem, vim.log.levels.ERROR)
    elseif show then
      api.nvim_echo({ { 'lacuna: ' .. table.concat(show(result), '\n  ') } }, true, {})
    end
  end)
end

--- What became of the last request for a suggestion.
local function explanation(last)
  local lines = { last.outcome }
  if (last.uri or '') ~= '' then
    local name = vim.fn.fnamemodify(vim.uri_to_fname(last.uri), ':t')
    table.insert(lines, ('asked at %s:%d:%d'):format(name, last.position.line + 1, last.position.character + 1))
  end
  if (last.seconds or 0) > 0 then
    table.insert(lines, ('took %.0f ms, confidence %.2f'):format(last.seconds * 1000, last.confidence or 0))
  end
  return lines
end

---@type table<string, {run: fun(command: table, argument: string?), arguments: string[]?}>
M.all = {
  enable = { run = switch(true), arguments = { 'buffer' } },
  disable = { run = switch(false), arguments = { 'buffer' } },
  toggle = { run = switch(nil), arguments = { 'buffer' } },
  fill = {
    run = function(command, argument)
      if command.range > 0 then
        fill.start({ ranges = { selection(command) } })
      elseif argument == 'here' then
        fill.start({ what = 'hole', range = here() })
      else
        fill.start({})
      end
    end,
    arguments = { 'here' },
  },
  implement = {
    run = function()
      fill.start({ what = 'implement', range = here() })
    end,
  },
  rewrite = {
    run = function(command, argument)
      local strength = tonumber(argument)
      if argument and not (strength and strength >= 0 and strength <= 1) then
        state.tell('a strength is a number from 0 to 1', vim.log.levels.ERROR)
      elseif command.range > 0 then
        fill.start({ what = 'selection', range = selection(command) })
      else
        fill.start({ what = 'rewrite', range = here(), strength = strength })
      end
    end,
  },
  fix = {
    run = function()
      fill.start({ what = 'fix', range = here() })
    end,
  },
  next = {
    run = function()
      fill.jump(1)
    end,
  },
  previous = {
    run = function()
      fill.jump(-1)
    end,
  },
  accept = {
    run = function(command)
      fill.accept(command.bang)
    end,
  },
  reject = {
    run = function(command)
      fill.reject(command.bang)
    end,
  },
  diff = { run = fill.diff },
  cancel = { run = fill.cancel },
  explain = {
    run = function()
      ask('lacuna.explainLast', {}, explanation)
    end,
  },
  status = {
    run = function()
      require('lacuna').show_status()
    end,
  },
  log = {
    run = function()
      vim.cmd.tabedit(vim.fn.fnameescape(require('lacuna').log_path()))
    end,
  },
  restart = { run = client_of.restart },
  unload = {
    run = function()
      ask('lacuna.unloadModel', {})
    end,
  },
  shutdown = { run = client_of.shutdown },
}

function M.run(command)
  local name = command.fargs[1] or 'status'
  local found = M.all[name]
  if not found then
    state.tell(("there is no sub-command '%s'; see :help lacuna-commands"):format(name), vim.log.levels.ERROR)
    return
  end
  found.run(command, command.fargs[2])
end

local function beginning_with(lead, names)
  table.sort(names)
  return vim.tbl_filter(function(name)
    return vim.startswith(name, lead)
  end, names)
end

function M.complete(lead, line)
  local words = vim.split(line:gsub('^.-Lacuna!?%s+', ''), '%s+')
  if #words <= 1 then
    return beginning_with(lead, vim.tbl_keys(M.all))
  end
  local found = M.all[words[1]]
  return #words == 2 and beginning_with(lead, vim.list_extend({}, found and found.arguments or {})) or {}
end

return M
