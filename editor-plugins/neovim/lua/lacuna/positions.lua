-- Positions of the protocol (UTF-16 columns, usually) and of Neovim (bytes).
local M = {}

local has_0_11 = vim.fn.has('nvim-0.11') == 1

---@param line string
---@param column integer in units of `encoding`
---@param encoding string
---@return integer bytes
function M.to_byte(line, column, encoding)
  if encoding == 'utf-8' then
    return math.min(column, #line)
  end
  if has_0_11 then
    return vim.str_byteindex(line, encoding, column, false)
  end
  local utf32, utf16 = vim.str_utfindex(line)
  local longest = encoding == 'utf-16' and utf16 or utf32
  return vim.str_byteindex(line, math.min(column, longest), encoding == 'utf-16')
end

---@param line string
---@param byte integer
---@param encoding string
---@return integer column in units of `encoding`
function M.from_byte(line, byte, encoding)
  if encoding == 'utf-8' then
    return byte
  end
  if has_0_11 then
    return vim.str_utfindex(line, encoding, byte, false)
  end
  local utf32, utf16 = vim.str_utfindex(line, math.min(byte, #line))
  return encoding == 'utf-16' and utf16 or utf32
end

local function line_at(bufnr, row)
  return vim.api.nvim_buf_get_lines(bufnr, row, row + 1, false)[1] or ''
end

--- A position of the protocol as (row, byte column), both from 0. One behind the last line is its end.
---@return integer row, integer column
function M.to_buffer(bufnr, position, encoding)
  local last = vim.api.nvim_buf_line_count(bufnr) - 1
  if position.line > last then
    return last, #line_at(bufnr, last)
  end
  return position.line, M.to_byte(line_at(bufnr, position.line), position.character, encoding)
end

--- (row, byte column) as a position of the protocol.
function M.to_protocol(bufnr, row, column, encoding)
  return { line = row, character = M.from_byte(line_at(bufnr, row), column, encoding) }
end

return M
