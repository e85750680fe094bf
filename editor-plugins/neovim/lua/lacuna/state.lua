-- What the plugin knows, in one place: of the session and of each buffer.
local M = {
  ---@type boolean? what :Lacuna enable and disable said last; nil: as configured
  enabled = nil,
  ---@type table? the last didChangeStatus of the server
  status = nil,
  ---@type string? the last thing that went wrong, one line
  problem = nil,
  ---@type table<integer, string> by buffer: why the server suggests nothing in it
  left_out = {},
  ---@type table<integer, table> by buffer: what ghost.lua keeps
  ghosts = {},
  ---@type table<integer, table> by buffer: what fill.lua keeps
  fills = {},
}

--- Runs the User autocommands of that name.
---@param name string
---@param data table?
function M.event(name, data)
  vim.api.nvim_exec_autocmds('User', { pattern = name, modeline = false, data = data })
end

--- One line to the user.
---@param message string
---@param level integer? of vim.log.levels
function M.tell(message, level)
  vim.notify('lacuna: ' .. message, level or vim.log.levels.INFO)
end

return M
