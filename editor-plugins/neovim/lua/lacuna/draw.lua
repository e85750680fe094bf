-- How holes are drawn while they are denoised and when they are ready: virtual text, coloured by confidence.
local M = {}

local api = vim.api
local namespace = api.nvim_create_namespace('lacuna.fill')

local links = {
  LacunaSuggestion = 'NonText',
  LacunaHint = 'MoreMsg',
  LacunaHole = 'DiffText',
  LacunaMask = 'Comment',
}
local colours = {
  LacunaSure = { fg = '#3fb950', ctermfg = 'Green' },
  LacunaLikely = { fg = '#d29922', ctermfg = 'Yellow' },
  LacunaUnsure = { fg = '#f85149', ctermfg = 'Red' },
}

--- Default colours; a colour scheme or the user may set others.
function M.highlights()
  for name, link in pairs(links) do
    api.nvim_set_hl(0, name, { link = link, default = true })
  end
  for name, colour in pairs(colours) do
    api.nvim_set_hl(0, name, vim.tbl_extend('force', { default = true }, colour))
  end
end

---@param probability number?
function M.group(probability)
  if not probability then
    return 'LacunaSuggestion'
  end
  return probability >= 0.8 and 'LacunaSure' or probability >= 0.5 and 'LacunaLikely' or 'LacunaUnsure'
end

--- Tokens as lines of (text, highlight) chunks. A masked token is one small block.
---@param tokens {text: string, masked: boolean?, probability: number?}[]
function M.lines(tokens)
  local lines = { {} }
  for _, token in ipairs(tokens) do
    if token.masked then
      table.insert(lines[#lines], { '░', 'LacunaMask' })
    else
      for index, piece in ipairs(vim.split(token.text:gsub('\r', ''), '\n', { plain = true })) do
        if index > 1 then
          lines[#lines + 1] = {}
        end
        if piece ~= '' then
          table.insert(lines[#lines], { piece, M.group(token.probability) })
        end
      end
    end
  end
  return lines
end

--- Draws one hole: what it holds is marked, what it gets stands behind it, or below it where it has several lines.
---@param bufnr integer
---@param range integer[] first row, column, last row, column
---@param lines table chunks of M.lines()
---@param old string text of the hole
function M.hole(bufnr, range, lines, old)
  local first_row, first_column, row, column = unpack(range)
  if first_row ~= row or first_column ~= column then
    api.nvim_buf_set_extmark(bufnr, namespace, first_row, first_column, {
      end_row = row,
      end_col = column,
      hl_group = 'LacunaHole',
    })
  end
  local mark = { virt_text_pos = 'inline', hl_mode = 'replace', virt_lines = {} }
  local inline_first = not old:find('\n', 1, true)
  for index, line in ipairs(lines) do
    local chunks = #line > 0 and line or { { '', 'LacunaSuggestion' } }
    if index == 1 and inline_first then
      mark.virt_text = chunks
    else
      table.insert(mark.virt_lines, chunks)
    end
  end
  api.nvim_buf_set_extmark(bufnr, namespace, row, column, mark)
end

function M.clear(bufnr)
  if api.nvim_buf_is_valid(bufnr) then
    api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
  end
end

return M
