-- The options of the plugin: defaults, what may stand there, and the merge of vim.g.lacuna, setup() and the defaults.
local M = {}

---@alias lacuna.Switch boolean|fun(bufnr: integer): boolean
---@alias lacuna.Key string|false

---@class lacuna.Config
---@field enable boolean whether anything happens before `:Lacuna enable`
---@field cmd string[] the language server
---@field filetypes table<string, lacuna.Switch> by filetype; "*" is for all others
---@field settings table what the server is told: its settings for a session (docs/protocol.md)
---@field inline "plugin"|"builtin"|"off" who draws suggestions
---@field auto_trigger boolean ask while typing; otherwise only by key or command
---@field debounce_ms integer how long typing has to rest before a request
---@field preview "inline"|"diff" how a rewrite is shown when it is ready
---@field keys table<string, lacuna.Key> insert mode
---@field preview_keys table<string, lacuna.Key> normal mode, in a buffer with a preview
M.defaults = {
  enable = true,
  cmd = { 'lacuna', 'lsp' },
  filetypes = {
    ['*'] = true,
    gitcommit = false,
    gitrebase = false,
    hgcommit = false,
    svn = false,
    cvs = false,
    help = false,
  },
  settings = {},
  inline = 'plugin',
  auto_trigger = true,
  debounce_ms = 40,
  preview = 'diff',
  keys = {
    accept = '<Tab>',
    accept_word = '<M-w>',
    accept_line = '<M-j>',
    next = '<M-]>',
    previous = '<M-[>',
    dismiss = '<C-]>',
    trigger = '<M-\\>',
  },
  preview_keys = {
    next = ']l',
    previous = '[l',
    accept = 'ga',
    reject = 'gs',
    accept_all = 'gA',
    reject_all = 'gS',
  },
}

M.current = vim.deepcopy(M.defaults)

local function one_of(...)
  local allowed = { ... }
  return function(value)
    return vim.tbl_contains(allowed, value), 'one of ' .. table.concat(allowed, ', ')
  end
end

local function of_type(...)
  local allowed = { ... }
  return function(value)
    return vim.tbl_contains(allowed, type(value)), 'a ' .. table.concat(allowed, ' or a ')
  end
end

local function key(value)
  return value == false or (type(value) == 'string' and value ~= ''), 'a key or false'
end

local function command(value)
  local ok = type(value) == 'table' and #value > 0
  for _, word in ipairs(ok and value or {}) do
    ok = ok and type(word) == 'string'
  end
  return ok, 'a list of strings'
end

local function natural(value)
  return type(value) == 'number' and value >= 0 and value % 1 == 0, 'a whole number from 0'
end

local checks = {
  enable = of_type('boolean'),
  cmd = command,
  settings = of_type('table'),
  inline = one_of('plugin', 'builtin', 'off'),
  auto_trigger = of_type('boolean'),
  debounce_ms = natural,
  preview = one_of('inline', 'diff'),
}
-- The tables whose entries are all of one kind; in `filetypes` any name may be added.
local maps = { filetypes = of_type('boolean', 'function'), keys = key, preview_keys = key }

--- Refuses the whole table at its first mistake.
---@param options table
---@return string? problem one sentence
function M.check(options)
  for name, value in pairs(options) do
    if maps[name] then
      if type(value) ~= 'table' then
        return ('%s has to be a table'):format(name)
      end
      for entry, inner in pairs(value) do
        if name ~= 'filetypes' and M.defaults[name][entry] == nil then
          return ('there is no option %s.%s'):format(name, entry)
        end
        local ok, wanted = maps[name](inner)
        if not ok then
          return ('%s.%s has to be %s, not %s'):format(name, entry, wanted, vim.inspect(inner))
        end
      end
    elseif not checks[name] then
      return ('there is no option %s'):format(name)
    else
      local ok, wanted = checks[name](value)
      if not ok then
        return ('%s has to be %s, not %s'):format(name, wanted, vim.inspect(value))
      end
    end
  end
end

--- Defaults < vim.g.lacuna < `options`.
---@param options? table
---@return string? problem and then nothing was changed
function M.apply(options)
  local merged = M.defaults
  for _, layer in ipairs({ vim.g.lacuna or {}, options or {} }) do
    local problem = M.check(layer)
    if problem then
      return problem
    end
    local cmd = layer.cmd or merged.cmd
    merged = vim.tbl_deep_extend('force', merged, layer)
    merged.cmd = vim.deepcopy(cmd) -- a list is replaced, not merged
  end
  M.current = merged
end

return M
