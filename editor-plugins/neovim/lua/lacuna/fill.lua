-- Holes filled together, and rewrites: asked for, shown while they are denoised, then accepted or rejected one by one.
--
-- The server says what is a hole and what goes in. A preview belongs to one state of the text: any other change to
-- the buffer drops it, and nothing of it can be applied any more.
local client_of = require('lacuna.client')
local config = require('lacuna.config')
local diff = require('lacuna.diff')
local draw = require('lacuna.draw')
local positions = require('lacuna.positions')
local state = require('lacuna.state')

local M = {}

local api = vim.api
local marks = api.nvim_create_namespace('lacuna.holes')
local CANCELLED, MODIFIED = -32800, -32801

local count = 0

---@class lacuna.Hole
---@field index integer its place among the holes that were asked for
---@field mark integer extmark over its text
---@field old string its text now
---@field tokens table[] of the last step, or the final text as one
---@field new string? the fill, when it is ready

---@class lacuna.Fill
---@field tick integer the buffer's changedtick that everything here belongs to
---@field holes lacuna.Hole[] those that are not decided yet
---@field running boolean

local function range_of(bufnr, hole)
  local mark = api.nvim_buf_get_extmark_by_id(bufnr, marks, hole.mark, { details = true })
  return { mark[1], mark[2], mark[3].end_row, mark[3].end_col }
end

local function redraw(bufnr, fill)
  draw.clear(bufnr)
  for _, hole in ipairs(fill.holes) do
    draw.hole(bufnr, range_of(bufnr, hole), draw.lines(hole.tokens), hole.old)
  end
end

local function unmap(bufnr, fill)
  for _, key in ipairs(fill.keys or {}) do
    pcall(vim.keymap.del, 'n', key, { buffer = bufnr })
  end
  fill.keys = nil
end

local function map(bufnr, fill)
  local actions = {
    next = function()
      M.jump(1)
    end,
    previous = function()
      M.jump(-1)
    end,
    accept = function()
      M.accept()
    end,
    reject = function()
      M.reject()
    end,
    accept_all = function()
      M.accept(true)
    end,
    reject_all = function()
      M.reject(true)
    end,
  }
  fill.keys = {}
  for name, key in pairs(config.current.preview_keys) do
    if key then
      vim.keymap.set('n', key, actions[name], { buffer = bufnr, desc = 'lacuna: ' .. name:gsub('_', ' ') })
      table.insert(fill.keys, key)
    end
  end
end

--- Takes a preview away, and stops the work for it.
function M.reset(bufnr)
  local fill = state.fills[bufnr]
  if not fill then
    return
  end
  state.fills[bufnr] = nil
  if fill.running and fill.request then
    client_of.cancel(fill.client, fill.request)
  end
  api.nvim_del_augroup_by_id(fill.group)
  draw.clear(bufnr)
  if api.nvim_buf_is_valid(bufnr) then
    api.nvim_buf_clear_namespace(bufnr, marks, 0, -1)
    unmap(bufnr, fill)
  end
  if fill.view then
    diff.close(fill.view)
  end
end

--- Says whether the text is still the one of the preview; if not, drops it with a word to the user.
local function is_current(bufnr, fill)
  if api.nvim_buf_get_changedtick(bufnr) == fill.tick then
    return true
  end
  M.reset(bufnr)
  state.tell('the text has changed: the preview is gone, nothing of it was applied', vim.log.levels.WARN)
  return false
end

local function finish(bufnr, fill)
  M.reset(bufnr)
  state.event('LacunaFillDone', { accepted = fill.accepted, rejected = fill.rejected })
end

--- The hole with that index, made if it is new.
---@param told {range: table?}
---@return lacuna.Hole? nothing if its place was never told
local function hole_of(bufnr, fill, index, told)
  for _, hole in ipairs(fill.holes) do
    if hole.index == index then
      return hole
    end
  end
  if not told.range then
    return nil
  end
  local encoding = fill.client.offset_encoding
  local row, column = positions.to_buffer(bufnr, told.range.start, encoding)
  local end_row, end_column = positions.to_buffer(bufnr, told.range['end'], encoding)
  local hole = {
    index = index,
    mark = api.nvim_buf_set_extmark(bufnr, marks, row, column, { end_row = end_row, end_col = end_column }),
    old = table.concat(api.nvim_buf_get_text(bufnr, row, column, end_row, end_column, {}), '\n'),
    tokens = {},
  }
  table.insert(fill.holes, hole)
  return hole
end

--- A `$/progress` of the server. Says whether it was a step of one of our fills.
function M.on_step(params)
  for bufnr, fill in pairs(state.fills) do
    if fill.token == params.token then
      if not fill.running or not is_current(bufnr, fill) then
        return true
      end
      for _, told in ipairs(params.value.holes) do
        local hole = hole_of(bufnr, fill, told.hole, told)
        if hole then
          hole.tokens = told.tokens
        end
      end
      redraw(bufnr, fill)
      state.event('LacunaFillStep', {
        step = params.value.step,
        steps = params.value.steps,
        masks_left = params.value.masksLeft,
      })
      return true
    end
  end
  -- A step that was on its way when its preview ended.
  return type(params.token) == 'string' and vim.startswith(params.token, 'lacuna-fill-')
end

--- The whole text with all fills that are not decided yet.
local function proposal(bufnr, fill)
  local scratch = api.nvim_create_buf(false, true)
  api.nvim_buf_set_lines(scratch, 0, -1, false, api.nvim_buf_get_lines(bufnr, 0, -1, false))
  local ranges = {}
  for _, hole in ipairs(fill.holes) do
    table.insert(ranges, { range = range_of(bufnr, hole), new = hole.new })
  end
  table.sort(ranges, function(a, b)
    return a.range[1] > b.range[1] or (a.range[1] == b.range[1] and a.range[2] > b.range[2])
  end)
  for _, edit in ipairs(ranges) do
    local row, column, end_row, end_column = unpack(edit.range)
    api.nvim_buf_set_text(scratch, row, column, end_row, end_column, vim.split(edit.new, '\n', { plain = true }))
  end
  local lines = api.nvim_buf_get_lines(scratch, 0, -1, false)
  api.nvim_buf_delete(scratch, { force = true })
  return lines
end

--- Shows the preview as a diff beside the buffer.
function M.diff()
  local bufnr = api.nvim_get_current_buf()
  local fill = state.fills[bufnr]
  if not fill or fill.running then
    state.tell('there is nothing to compare: no preview here')
  elseif not fill.view then
    fill.view = diff.open(bufnr, proposal(bufnr, fill))
  end
end

local function sort_by_place(bufnr, holes)
  table.sort(holes, function(a, b)
    local left, right = range_of(bufnr, a), range_of(bufnr, b)
    return left[1] < right[1] or (left[1] == right[1] and left[2] < right[2])
  end)
end

local function on_done(bufnr, fill, err, result)
  if state.fills[bufnr] ~= fill then
    return
  end
  fill.running = false
  if err then
    M.reset(bufnr)
    if err.code == MODIFIED then
      state.tell('the text has changed meanwhile; nothing was applied', vim.log.levels.WARN)
    elseif err.code ~= CANCELLED then
      state.problem = err.message
      state.tell(err.message, vim.log.levels.ERROR)
    end
    return
  end
  if not is_current(bufnr, fill) then
    return
  end
  if result.version and result.version ~= vim.lsp.util.buf_versions[bufnr] then
    M.reset(bufnr)
    state.tell('the answer is for another version of the text; nothing was applied', vim.log.levels.WARN)
    return
  end
  for index, told in ipairs(result.holes) do
    local hole = hole_of(bufnr, fill, index - 1, told)
    hole.new = told.newText:gsub('\r\n', '\n')
    local text = {}
    for _, token in ipairs(hole.tokens) do
      table.insert(text, token.masked and '' or token.text)
    end
    if table.concat(text) ~= told.newText then
      hole.tokens = { { text = hole.new, probability = told.confidence } }
    end
  end
  fill.holes = vim.tbl_filter(function(hole)
    return hole.new ~= nil
  end, fill.holes)
  sort_by_place(bufnr, fill.holes)
  redraw(bufnr, fill)
  map(bufnr, fill)
  state.event('LacunaFillReady', { holes = #fill.holes })
  if (result.problem or '') ~= '' then
    state.tell(result.problem, vim.log.levels.WARN)
  end
  local rewrite = fill.order.what == 'rewrite' or fill.order.what == 'selection'
  if rewrite and config.current.preview == 'diff' and api.nvim_get_current_buf() == bufnr then
    M.diff()
  end
end

--- Asks for fills. `order` says of what, as `lacuna/fill` in docs/protocol.md does: nothing for all marked holes.
---@param order table
---@param version integer? of the text that the order was made for, if that may be an older one
function M.start(order, version)
  local bufnr = api.nvim_get_current_buf()
  local client = client_of.get(bufnr)
  if not client then
    local _, reason = client_of.wanted(bufnr)
    state.tell(reason or state.problem or 'the server is not ready yet', vim.log.levels.WARN)
    return
  end
  M.reset(bufnr)
  count = count + 1
  local fill = {
    client = client,
    order = order,
    token = 'lacuna-fill-' .. count,
    tick = api.nvim_buf_get_changedtick(bufnr),
    holes = {},
    running = true,
    accepted = 0,
    rejected = 0,
    group = api.nvim_create_augroup('lacuna.fill.' .. bufnr, {}),
  }
  state.fills[bufnr] = fill
  api.nvim_create_autocmd({ 'TextChanged', 'TextChangedI', 'TextChangedP' }, {
    group = fill.group,
    buffer = bufnr,
    callback = function()
      is_current(bufnr, fill)
    end,
  })
  local document = client_of.document(bufnr)
  document.version = version or document.version
  local params = vim.tbl_extend('error', order, { textDocument = document, partialResultToken = fill.token })
  fill.request = client_of.request(client, 'lacuna/fill', params, function(err, result)
    on_done(bufnr, fill, err, result)
  end, bufnr)
  state.event('LacunaFillStarted')
end

--- The hole that the cursor is in or before, else the last one.
local function hole_at_cursor(bufnr, fill)
  local row, column = unpack(api.nvim_win_get_cursor(0))
  for index, hole in ipairs(fill.holes) do
    local range = range_of(bufnr, hole)
    if row - 1 < range[3] or (row - 1 == range[3] and column <= range[4]) then
      return index
    end
  end
  return #fill.holes
end

local function ready(bufnr)
  local fill = state.fills[bufnr]
  if not fill or fill.running then
    state.tell(fill and 'the fill is not ready yet' or 'there is no preview here')
    return nil
  end
  return is_current(bufnr, fill) and fill or nil
end

local function apply(bufnr, hole)
  local row, column, end_row, end_column = unpack(range_of(bufnr, hole))
  api.nvim_buf_set_text(bufnr, row, column, end_row, end_column, vim.split(hole.new, '\n', { plain = true }))
  api.nvim_buf_del_extmark(bufnr, marks, hole.mark)
end

local function after_decision(bufnr, fill)
  fill.tick = api.nvim_buf_get_changedtick(bufnr)
  if #fill.holes == 0 then
    finish(bufnr, fill)
  else
    redraw(bufnr, fill)
  end
end

--- Writes the fill of the hole at the cursor, or of all holes as one undo step.
---@param all boolean?
function M.accept(all)
  local bufnr = api.nvim_get_current_buf()
  local fill = ready(bufnr)
  if not fill then
    return
  end
  local chosen = all and fill.holes or { table.remove(fill.holes, hole_at_cursor(bufnr, fill)) }
  if all then
    fill.holes = {}
  end
  for index = #chosen, 1, -1 do
    apply(bufnr, chosen[index])
  end
  fill.accepted = fill.accepted + #chosen
  after_decision(bufnr, fill)
end

--- Leaves the hole at the cursor, or all, as they are.
---@param all boolean?
function M.reject(all)
  local bufnr = api.nvim_get_current_buf()
  local fill = ready(bufnr)
  if not fill then
    return
  end
  if all then
    fill.rejected = fill.rejected + #fill.holes
    fill.holes = {}
  else
    local hole = table.remove(fill.holes, hole_at_cursor(bufnr, fill))
    api.nvim_buf_del_extmark(bufnr, marks, hole.mark)
    fill.rejected = fill.rejected + 1
  end
  after_decision(bufnr, fill)
end

--- Stops the fill that runs here.
function M.cancel()
  local bufnr = api.nvim_get_current_buf()
  local running = state.fills[bufnr] ~= nil
  M.reset(bufnr)
  if not running then
    state.tell('nothing runs here')
  end
end

--- Moves to the nearest of `places` in that direction, round the end of the file.
local function jump_to(places, step)
  if #places == 0 then
    state.tell('there are no holes here')
    return
  end
  table.sort(places, function(a, b)
    return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2])
  end)
  local row, column = unpack(api.nvim_win_get_cursor(0))
  row = row - 1
  local target = step > 0 and places[1] or places[#places]
  for index = step > 0 and #places or 1, step > 0 and 1 or #places, -step do
    local place = places[index]
    local after = place[1] > row or (place[1] == row and place[2] > column)
    local before = place[1] < row or (place[1] == row and place[2] < column)
    if step > 0 and after or step < 0 and before then
      target = place
    end
  end
  vim.cmd("normal! m'")
  api.nvim_win_set_cursor(0, { target[1] + 1, target[2] })
end

--- Goes to the next (1) or previous (-1) hole: of the preview, or else of those marked in the text.
---@param step integer
function M.jump(step)
  local bufnr = api.nvim_get_current_buf()
  local fill = state.fills[bufnr]
  if fill and #fill.holes > 0 then
    jump_to(vim.tbl_map(function(hole)
      return range_of(bufnr, hole)
    end, fill.holes), step)
    return
  end
  local client = client_of.get(bufnr)
  if not client then
    state.tell(select(2, client_of.wanted(bufnr)) or 'the server is not ready yet', vim.log.levels.WARN)
    return
  end
  client_of.request(client, 'lacuna/holes', { textDocument = client_of.document(bufnr) }, function(err, result)
    if err or api.nvim_get_current_buf() ~= bufnr then
      return
    end
    jump_to(vim.tbl_map(function(hole)
      return { positions.to_buffer(bufnr, hole.range.start, client.offset_encoding) }
    end, result.holes), step)
  end, bufnr)
end

return M
