-- Holes filled together and rewrites, with their preview.
local helpers = require('helpers')
local equal = helpers.equal

-- Two holes, marked by `??` in the text: first a step, then the result once the test says so by `lacuna/go`.
local two_holes = [[
  local finish
  local function range(line, from, to)
    return { start = { line = line, character = from }, ['end'] = { line = line, character = to } }
  end
  server.on['lacuna/fill'] = function(params, reply)
    local holes = {}
    for row, text in ipairs(vim.split(server.documents[params.textDocument.uri], '\n')) do
      local from = text:find('??', 1, true)
      if from then
        local column = vim.str_utfindex(text:sub(1, from - 1))
        table.insert(holes, { range = range(row - 1, column, column + 2) })
      end
    end
    local step = vim.deepcopy(holes)
    for index, hole in ipairs(step) do
      hole.hole = index - 1
      hole.tokens = { { text = 'a', probability = 0.95 }, { masked = true },
        { text = 'b', probability = 0.3 } }
    end
    server.notify('$/progress', { token = params.partialResultToken,
      value = { step = 1, steps = 2, masksLeft = 2, masksTotal = 6, holes = step } })
    finish = function(version)
      for index, hole in ipairs(holes) do
        hole.newText, hole.confidence = 'fill' .. index .. '\nmore', 0.9
      end
      reply({ version = version or params.textDocument.version, holes = holes, problem = '', model = 'scripted', steps = 2,
        forwardPasses = 2, seconds = { queued = 0, load = 0, denoise = 0.1 } })
    end
  end
  server.on['lacuna/go'] = function(params) finish(params.version) end
  server.on['lacuna/holes'] = function(params, reply)
    reply({ version = 0, holes = { { range = range(0, 4, 6) }, { range = range(2, 0, 2) } } })
  end]]

local text = { 'a = ??', 'é😀 middle', 'b = ??', 'end' }

local function open(options)
  options = vim.tbl_extend('keep', options or {}, { script = two_holes, lines = text })
  return helpers.attached(options)
end

local function go(child, params)
  child:lua(
    [[local client = vim.lsp.get_clients()[1]
      local params = next((...)) and ... or vim.empty_dict()
      if vim.fn.has('nvim-0.11') == 1 then client:notify('lacuna/go', params)
      else client.notify('lacuna/go', params) end]],
    params or {}
  )
end

local function filled(options)
  local child = open(options)
  child:lua('vim.cmd("Lacuna fill")')
  child:wait_event('LacunaFillStep')
  go(child)
  child:wait_event('LacunaFillReady')
  return child
end

local tests = {}

function tests.every_step_is_drawn_in_the_holes()
  local child = open()
  child:lua('vim.cmd("Lacuna fill")')
  child:wait_screen('a = ??a░b')
  child:wait_screen('b = ??a░b')
  child:expect_lines(text)
  local groups = child:lua([[local found = {}
    local space = vim.api.nvim_get_namespaces()['lacuna.fill']
    for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true })) do
      for _, chunk in ipairs(mark[4].virt_text or {}) do table.insert(found, chunk[2]) end
    end
    return found]])
  equal(vim.list_slice(groups, 1, 3), { 'LacunaSure', 'LacunaMask', 'LacunaUnsure' })
  child:expect('require("lacuna").status()', 'lacuna filling')
  child:stop()
end

function tests.the_fill_is_shown_and_nothing_is_written_before_it_is_accepted()
  local child = filled()
  child:expect_screen({ 'a = ??fill1', 'more', 'é😀 middle', 'b = ??fill2', 'more', 'end' })
  child:expect_lines(text)
  equal(child:lua('return _G.told'), {})
  child:expect('require("lacuna").status()', 'lacuna 2 holes')
  child:stop()
end

function tests.one_hole_is_accepted_and_one_rejected()
  local child = filled()
  child:type('gg]l')
  child:expect('vim.api.nvim_win_get_cursor(0)', { 1, 4 })
  child:type(']lga')
  child:expect_lines({ 'a = ??', 'é😀 middle', 'b = fill2', 'more', 'end' })
  child:type('gs')
  child:expect_lines({ 'a = ??', 'é😀 middle', 'b = fill2', 'more', 'end' })
  child:wait_event('LacunaFillDone')
  child:expect_screen(child:lines())
  child:expect([[vim.fn.maparg('ga', 'n')]], '')
  child:stop()
end

function tests.all_holes_are_one_undo_step()
  local child = filled()
  child:type('gA')
  child:expect_lines({ 'a = fill1', 'more', 'é😀 middle', 'b = fill2', 'more', 'end' })
  child:type('u')
  child:expect_lines(text)
  child:stop()
end

function tests.jumping_goes_round_both_ways()
  local child = filled()
  child:type('G]l')
  child:expect('vim.api.nvim_win_get_cursor(0)', { 1, 4 })
  child:type('[l')
  child:expect('vim.api.nvim_win_get_cursor(0)', { 3, 4 })
  child:stop()
end

function tests.jumping_without_a_preview_uses_the_marked_holes()
  local child = open()
  child:lua('vim.cmd("Lacuna next")')
  child:expect('vim.api.nvim_win_get_cursor(0)', { 1, 4 })
  child:lua('vim.cmd("Lacuna next")')
  child:expect('vim.api.nvim_win_get_cursor(0)', { 3, 0 })
  child:stop()
end

function tests.an_edit_meanwhile_stops_the_fill_and_is_not_overwritten()
  local child = open()
  child:lua('vim.cmd("Lacuna fill")')
  child:wait_event('LacunaFillStep')
  child:type('Goedit<Esc>')
  child:wait_message('$/cancelRequest')
  equal(child:lines()[5], 'edit')
  child:expect_screen(child:lines())
  child:expect('#_G.told', 1)
  child:stop()
end

function tests.an_edit_after_the_fill_drops_the_preview()
  local child = filled()
  child:type('Goedit<Esc>')
  child:expect_screen(child:lines())
  child:lua('vim.cmd("Lacuna accept!")')
  child:expect_lines({ 'a = ??', 'é😀 middle', 'b = ??', 'end', 'edit' })
  child:stop()
end

function tests.an_answer_for_another_version_is_refused()
  local child = open()
  child:lua('vim.cmd("Lacuna fill")')
  child:wait_event('LacunaFillStep')
  go(child, { version = 77 })
  child:expect('#_G.told', 1)
  child:lua('vim.cmd("Lacuna accept!")')
  child:expect_lines(text)
  child:stop()
end

function tests.cancelling_tells_the_server_and_clears()
  local child = open()
  child:lua('vim.cmd("Lacuna fill")')
  local request = child:wait_message('lacuna/fill')
  child:wait_event('LacunaFillStep')
  child:lua('vim.cmd("Lacuna cancel")')
  equal(child:wait_message('$/cancelRequest').params.id, request.id)
  child:expect_screen(text)
  child:stop()
end

function tests.a_refusal_of_the_server_is_one_line()
  local child = helpers.attached({
    script = [[server.on['lacuna/fill'] = function(_, reply)
      reply(nil, { code = -32803, message = 'there is no model' })
    end]],
  })
  child:lua('vim.cmd("Lacuna fill")')
  child:expect('_G.told', { 'lacuna: there is no model' })
  child:stop()
end

function tests.what_is_asked_for_names_version_and_place()
  local child = open()
  local function order(command)
    local count = #child:messages('lacuna/fill')
    child:type(command)
    local params = child:wait_message('lacuna/fill', count + 1).params
    equal(params.textDocument, { uri = vim.uri_from_fname(child.file), version = 0 })
    params.textDocument, params.partialResultToken = nil, nil
    return params
  end
  local place = { line = 1, character = 9 }
  local here = { start = place, ['end'] = place }
  equal(order(':Lacuna fill<CR>'), {})
  equal(order('2G$:Lacuna fill here<CR>'), { what = 'hole', range = here })
  equal(order(':Lacuna implement<CR>'), { what = 'implement', range = here })
  equal(order(':Lacuna fix<CR>'), { what = 'fix', range = here })
  equal(order(':Lacuna rewrite<CR>'), { what = 'rewrite', range = here })
  equal(order(':Lacuna rewrite 0.3<CR>'), { what = 'rewrite', range = here, strength = 0.3 })
  equal(order('2G0vll:Lacuna fill<CR>'), {
    ranges = { { start = { line = 1, character = 0 }, ['end'] = { line = 1, character = 4 } } },
  })
  equal(order('2GVj:Lacuna rewrite<CR>'), {
    what = 'selection',
    range = { start = { line = 1, character = 0 }, ['end'] = { line = 2, character = 6 } },
  })
  child:stop()
end

local rewrite = [[
  server.on['lacuna/fill'] = function(params, reply)
    reply({ version = params.textDocument.version, holes = { { newText = 'def f():\n    return 2', confidence = 0.6,
      range = { start = { line = 0, character = 0 }, ['end'] = { line = 1, character = 12 } } } } })
  end]]

function tests.a_rewrite_is_shown_as_a_diff_and_can_be_rejected()
  local child = helpers.attached({ script = rewrite, lines = { 'def f():', '    return 1' }, columns = 80 })
  child:lua('vim.cmd("Lacuna rewrite")')
  child:wait_event('LacunaFillReady')
  child:expect('#vim.api.nvim_list_wins()', 2)
  child:expect('vim.wo.diff', true)
  child:expect([[vim.api.nvim_buf_get_lines(vim.fn.winbufnr(2), 0, -1, false)]], { 'def f():', '    return 2' })
  child:type('gS')
  child:expect_lines({ 'def f():', '    return 1' })
  child:expect('#vim.api.nvim_list_wins()', 1)
  child:expect('vim.wo.diff', false)
  child:stop()
end

function tests.what_a_fill_breaks_is_told()
  local child = helpers.attached({
    script = rewrite:gsub("reply%({ version", "reply({ problem = 'line 2 does not parse', version"),
    lines = { 'def f():', '    return 1' },
    setup = "{ preview = 'inline' }",
  })
  child:lua('vim.cmd("Lacuna rewrite")')
  child:wait_event('LacunaFillReady')
  child:expect('_G.told', { 'lacuna: line 2 does not parse' })
  child:stop()
end

function tests.a_rewrite_is_accepted_as_one_undo_step()
  local child = helpers.attached({
    script = rewrite,
    lines = { 'def f():', '    return 1' },
    setup = "{ preview = 'inline' }",
  })
  child:lua('vim.cmd("Lacuna rewrite")')
  child:wait_event('LacunaFillReady')
  child:expect_screen({ 'def f():', '    return 1', 'def f():', '    return 2' })
  child:type('ga')
  child:expect_lines({ 'def f():', '    return 2' })
  child:type('u')
  child:expect_lines({ 'def f():', '    return 1' })
  child:stop()
end

function tests.a_code_action_of_the_server_opens_the_preview()
  local child = open()
  child:lua([[vim.lsp.commands['lacuna.previewFill']({ title = '', command = 'lacuna.previewFill',
    arguments = { { what = 'all', uri = vim.uri_from_bufnr(0), version = 0 } } })]])
  child:wait_event('LacunaFillStep')
  equal(child:wait_message('lacuna/fill').params.what, 'all')
  equal(child:messages('initialize')[1].params.capabilities.experimental, { lacuna = { previewFill = true } })
  child:stop()
end

return tests
