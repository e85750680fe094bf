-- Suggestions while typing, drawn by the plugin: asked for, shown as virtual text, typed through, accepted.
--
-- A suggestion is shown only while the text around the cursor is what the server was asked about, plus a beginning
-- of the suggestion itself. Neovim 0.12's own inline completion does not check that, which is why this is the default.
local client_of = require('lacuna.client')
local config = require('lacuna.config')
local positions = require('lacuna.positions')
local state = require('lacuna.state')

local M = {}

local api = vim.api
local namespace = api.nvim_create_namespace('lacuna.ghost')
local INVOKED, AUTOMATIC = 1, 2

---@class lacuna.Offer a suggestion, as bytes of the line that the cursor is in
---@field text string
---@field start integer column where the text that it replaces begins
---@field replaced string what it replaces to the right of the cursor
---@field item table as the server sent it

local function cursor()
  local place = api.nvim_win_get_cursor(0)
  return place[1] - 1, place[2]
end

local function in_insert_mode(bufnr)
  return api.nvim_get_current_buf() == bufnr and vim.startswith(api.nvim_get_mode().mode, 'i')
end

local function hide(bufnr)
  api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
end

local function cancel(ghost)
  if ghost.timer then
    ghost.timer:stop()
  end
  if ghost.request then
    client_of.cancel(ghost.client, ghost.request)
    ghost.request = nil
    state.event('LacunaRequestFinished')
  end
end

--- What of the offer is still to come, given the text as it is now; nil if it no longer fits.
local function remaining(ghost, offer)
  local row, column = cursor()
  local asked = ghost.asked
  if row ~= asked.row or column < offer.start then
    return nil
  end
  local line = api.nvim_get_current_line()
  if line:sub(column + 1) ~= asked.suffix or line:sub(1, offer.start) ~= asked.prefix:sub(1, offer.start) then
    return nil
  end
  local typed = line:sub(offer.start + 1, column)
  if not vim.startswith(offer.text, typed) or #typed == #offer.text then
    return nil
  end
  return offer.text:sub(#typed + 1)
end

--- The virtual text for `rest`, with what it replaces and what stands right of that.
---@return table options of an extmark
local function drawing(rest, replaced, suffix)
  local lines = vim.split(rest, '\n', { plain = true })
  local first = lines[1]
  if #lines == 1 and replaced ~= '' and vim.endswith(first, replaced) then
    first, replaced = first:sub(1, #first - #replaced), ''
  end
  if #lines == 1 and replaced == '' then
    return { virt_text = { { first, 'LacunaSuggestion' } }, virt_text_pos = 'inline' }
  end
  -- What stands right of the cursor moves behind the last line, so that line has to cover it here.
  local kept = suffix:sub(#replaced + 1)
  local covered = vim.fn.strdisplaywidth(suffix) - vim.fn.strdisplaywidth(first)
  local below = {}
  for index = 2, #lines do
    below[#below + 1] = { { lines[index], 'LacunaSuggestion' } }
  end
  local top = { { first, 'LacunaSuggestion' } }
  if kept ~= '' then
    table.insert(below[#below] or top, { kept, 'Normal' })
    covered = #below == 0 and covered - vim.fn.strdisplaywidth(kept) or covered
  end
  if covered > 0 then
    table.insert(top, { (' '):rep(covered), 'Normal' })
  end
  return { virt_text = top, virt_text_pos = suffix == '' and 'inline' or 'overlay', virt_lines = below }
end

--- Shows the current offer if it fits. Says whether it does.
local function show(bufnr, ghost)
  hide(bufnr)
  local offer = ghost.offers[ghost.index]
  local rest = offer and remaining(ghost, offer)
  if not rest then
    return false
  end
  if vim.fn.pumvisible() == 1 or vim.b[bufnr].lacuna_suggestion_hidden then
    return true
  end
  local row, column = cursor()
  local mark = drawing(rest, offer.replaced, ghost.asked.suffix)
  mark.hl_mode = 'combine'
  if ghost.counted and #ghost.offers > 1 then
    local last = mark.virt_lines and mark.virt_lines[#mark.virt_lines] or mark.virt_text
    table.insert(last, { (' %d/%d'):format(ghost.index, #ghost.offers), 'LacunaHint' })
  end
  api.nvim_buf_set_extmark(bufnr, namespace, row, column, mark)
  if not offer.shown then
    offer.shown = true
    client_of.notify(ghost.client, 'textDocument/didShowCompletion', { item = offer.item })
    state.event('LacunaSuggestionShown', { text = rest })
  end
  return true
end

--- An item of the protocol, if it begins and ends in the line of the cursor and replaces nothing left of it that
--- the text does not have.
---@return lacuna.Offer?
local function to_offer(item, asked, encoding)
  if type(item.insertText) ~= 'string' then
    return nil
  end
  local line = asked.prefix .. asked.suffix
  local start, finish = #asked.prefix, #asked.prefix
  if item.range then
    if item.range.start.line ~= asked.row or item.range['end'].line ~= asked.row then
      return nil
    end
    start = positions.to_byte(line, item.range.start.character, encoding)
    finish = positions.to_byte(line, item.range['end'].character, encoding)
    if start > #asked.prefix or finish < #asked.prefix then
      return nil
    end
  end
  return {
    text = (item.insertText:gsub('\r\n', '\n')),
    start = start,
    replaced = line:sub(#asked.prefix + 1, finish),
    item = item,
  }
end

local function on_answer(bufnr, ghost, asked, id, err, result)
  if ghost ~= state.ghosts[bufnr] or ghost.request ~= id then
    return -- a newer request took its place
  end
  ghost.request = nil
  state.event('LacunaRequestFinished')
  if err or not result or not in_insert_mode(bufnr) then
    return
  end
  local offers = {}
  for _, item in ipairs(result.items or result) do
    offers[#offers + 1] = to_offer(item, asked, ghost.client.offset_encoding)
  end
  ghost.asked, ghost.offers, ghost.index = asked, offers, 1
  show(bufnr, ghost)
end

local function request(bufnr, ghost, trigger)
  cancel(ghost)
  if not in_insert_mode(bufnr) then
    return
  end
  local row, column = cursor()
  local line = api.nvim_get_current_line()
  local asked = { row = row, prefix = line:sub(1, column), suffix = line:sub(column + 1) }
  ghost.counted = trigger == INVOKED
  state.event('LacunaRequestStarted')
  local id
  id = client_of.request(ghost.client, 'textDocument/inlineCompletion', {
    textDocument = client_of.document(bufnr),
    position = positions.to_protocol(bufnr, row, column, ghost.client.offset_encoding),
    context = { triggerKind = trigger },
  }, function(err, result)
    on_answer(bufnr, ghost, asked, id, err, result)
  end, bufnr)
  ghost.request = id
end

--- After every change and movement: what fits stays, shortened; all else goes, and is asked for anew.
local function on_move(bufnr)
  local ghost = state.ghosts[bufnr]
  if not ghost or show(bufnr, ghost) then
    return
  end
  cancel(ghost)
  ghost.offers = {}
  if config.current.auto_trigger and vim.fn.pumvisible() == 0 then
    ghost.timer:start(
      config.current.debounce_ms,
      0,
      vim.schedule_wrap(function()
        if state.ghosts[bufnr] == ghost then
          request(bufnr, ghost, AUTOMATIC)
        end
      end)
    )
  end
end

function M.attach(client, bufnr)
  M.detach(bufnr)
  if vim.lsp.inline_completion and vim.lsp.inline_completion.is_enabled({ client_id = client.id }) then
    -- Otherwise both would draw.
    vim.lsp.inline_completion.enable(false, { client_id = client.id })
  end
  local group = api.nvim_create_augroup('lacuna.ghost.' .. bufnr, {})
  state.ghosts[bufnr] = { client = client, offers = {}, index = 1, timer = assert(vim.uv.new_timer()), group = group }
  api.nvim_create_autocmd({ 'InsertEnter', 'CursorMovedI', 'TextChangedI', 'TextChangedP', 'CompleteDone' }, {
    group = group,
    buffer = bufnr,
    callback = function()
      on_move(bufnr)
    end,
  })
  api.nvim_create_autocmd('CompleteChanged', {
    group = group,
    buffer = bufnr,
    callback = function()
      hide(bufnr)
    end,
  })
  api.nvim_create_autocmd({ 'InsertLeave', 'BufLeave' }, {
    group = group,
    buffer = bufnr,
    callback = function()
      M.dismiss(bufnr)
    end,
  })
  if in_insert_mode(bufnr) then
    on_move(bufnr)
  end
end

function M.detach(bufnr)
  local ghost = state.ghosts[bufnr]
  if not ghost then
    return
  end
  state.ghosts[bufnr] = nil
  cancel(ghost)
  ghost.timer:close()
  api.nvim_del_augroup_by_id(ghost.group)
  if api.nvim_buf_is_valid(bufnr) then
    hide(bufnr)
  end
end

--- Whether a suggestion is on the screen.
function M.visible(bufnr)
  return state.ghosts[bufnr] ~= nil and #api.nvim_buf_get_extmarks(bufnr, namespace, 0, -1, { limit = 1 }) > 0
end

-- The next word with what stands before it; the next line with the break before it.
local part = {
  word = function(rest)
    return vim.fn.matchstr(rest, [=[^\_s*\%(\k\+\|[^[:keyword:][:space:]]\+\|$\)]=])
  end,
  line = function(rest)
    return rest:match('^\n?[^\n]*')
  end,
}

--- How much of the item has been accepted, in UTF-16 units of its text as the server wrote it.
local function units(item, text)
  local _, breaks = text:gsub('\n', '')
  local extra = item.insertText:find('\r\n', 1, true) and breaks or 0
  return positions.from_byte(text, #text, 'utf-16') + extra
end

local function insert(from_row, from_column, to_column, text)
  local lines = vim.split(text, '\n', { plain = true })
  api.nvim_buf_set_text(0, from_row, from_column, from_row, to_column, lines)
  local row = from_row + #lines - 1
  local column = #lines[#lines] + (#lines == 1 and from_column or 0)
  api.nvim_win_set_cursor(0, { row + 1, column })
end

--- Writes the suggestion, or its next word or line, into the buffer. Called by M.accept().
---@param kind "all"|"word"|"line"
function M.apply(kind)
  local bufnr = api.nvim_get_current_buf()
  local ghost = state.ghosts[bufnr]
  local offer = ghost and ghost.offers[ghost.index]
  local rest = offer and remaining(ghost, offer)
  if not rest then
    return
  end
  cancel(ghost)
  local row, column = cursor()
  local piece = kind == 'all' and rest or part[kind](rest)
  if piece ~= rest and piece ~= '' then
    insert(row, column, column, piece)
    local done = (offer.done or '') .. offer.text:sub(1, #offer.text - #rest) .. piece
    row, column = cursor()
    local line = api.nvim_get_current_line()
    ghost.asked = { row = row, prefix = line:sub(1, column), suffix = line:sub(column + 1) }
    ghost.offers = {
      vim.tbl_extend('force', offer, { text = rest:sub(#piece + 1), start = column, done = done }),
    }
    ghost.index = 1
    client_of.notify(ghost.client, 'textDocument/didPartiallyAcceptCompletion', {
      item = offer.item,
      acceptedLength = units(offer.item, done),
    })
    show(bufnr, ghost)
  else
    ghost.offers = {}
    hide(bufnr)
    insert(row, offer.start, column + #offer.replaced, offer.text)
    local command = offer.item.command
    if command then
      client_of.execute(ghost.client, command.command, command.arguments)
    end
  end
  state.event('LacunaSuggestionAccepted', { text = piece, kind = kind })
end

--- Accepts what is shown as an undo step of its own. Says whether there was something; may be used in an expr mapping.
---@param kind "all"|"word"|"line"
function M.accept(kind)
  if not M.visible(api.nvim_get_current_buf()) then
    return false
  end
  local keys = '<C-g>u<Cmd>lua require("lacuna.ghost").apply("%s")<CR><C-g>u'
  api.nvim_feedkeys(vim.keycode(keys:format(kind)), 'ni', false)
  return true
end

--- Shows another suggestion. With only one at hand the server is asked for more.
---@param count integer 1 or -1
function M.cycle(count)
  local bufnr = api.nvim_get_current_buf()
  local ghost = state.ghosts[bufnr]
  if not ghost then
    return false
  end
  if #ghost.offers < 2 then
    return M.trigger()
  end
  ghost.counted = true
  for _ = 1, #ghost.offers do
    ghost.index = (ghost.index - 1 + count) % #ghost.offers + 1
    if show(bufnr, ghost) then
      break
    end
  end
  return true
end

--- Takes the suggestion away. Says whether there was one.
function M.dismiss(bufnr)
  bufnr = bufnr or api.nvim_get_current_buf()
  local ghost = state.ghosts[bufnr]
  if not ghost then
    return false
  end
  local visible = M.visible(bufnr)
  cancel(ghost)
  ghost.offers = {}
  hide(bufnr)
  if visible then
    state.event('LacunaSuggestionDismissed')
  end
  return visible
end

--- Asks for suggestions now.
function M.trigger()
  local bufnr = api.nvim_get_current_buf()
  local ghost = state.ghosts[bufnr]
  if ghost then
    request(bufnr, ghost, INVOKED)
  end
  return ghost ~= nil
end

return M
