-- Runs the tests: nvim --clean -l tests/run.lua [PATTERN]
-- A file *_test.lua returns a table of functions; each name is a sentence that is true when the function returns.
local here = vim.fn.fnamemodify(debug.getinfo(1, 'S').source:sub(2), ':p:h')
local root = vim.fn.fnamemodify(here, ':h')
package.path = ('%s/?.lua;%s/lua/?.lua;%s/lua/?/init.lua;%s'):format(here, root, root, package.path)

local pattern = _G.arg[1] or ''
local failed, passed, skipped = {}, 0, 0
local files = vim.fn.glob(here .. '/*_test.lua', false, true)
table.sort(files)
for _, file in ipairs(files) do
  local tests = dofile(file)
  local names = vim.tbl_keys(tests)
  table.sort(names)
  for _, name in ipairs(names) do
    local full = vim.fn.fnamemodify(file, ':t:r') .. ': ' .. name
    if full:find(pattern, 1, true) then
      local ok, problem = xpcall(tests[name], debug.traceback)
      if ok and type(problem) == 'string' then
        skipped = skipped + 1
        io.write('SKIP ', full, ' (', problem, ')\n')
      elseif ok then
        passed = passed + 1
        io.write('ok   ', full, '\n')
      else
        table.insert(failed, full)
        io.write('FAIL ', full, '\n', problem, '\n')
      end
    end
  end
end
local version = vim.version()
io.write(
  ('%d passed, %d failed, %d skipped in Neovim %d.%d.%d\n'):format(
    passed,
    #failed,
    skipped,
    version.major,
    version.minor,
    version.patch
  )
)
os.exit(#failed == 0 and passed + skipped > 0 and 0 or 1)
