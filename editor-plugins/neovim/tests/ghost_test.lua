local helpers = require('helpers')
local equal = helpers.equal

-- A server that suggests `text` (or several) at the cursor; `range` may be a function of the position.
local function suggesting(items)
  return ([[
    local texts = %s
    server.on['textDocument/inlineCompletion'] = function(params, reply)
      local items = {}
      for _, text in ipairs(texts) do
        local item = type(text) == 'table' and vim.deepcopy(text) or { insertText = text }
        if not item.range then
          item.range = { start = params.position, ['end'] = params.position }
        elseif item.range == 'line' then
          local row = vim.split(server.documents[params.textDocument.uri], '\n')[params.position.line + 1]
          item.range = { start = params.position, ['end'] = { line = params.position.line, character = vim.str_utfindex(row) } }
        end
        item.command = { title = '', command = 'lacuna.didAccept', arguments = { item.insertText } }
        table.insert(items, item)
      end
      reply({ items = items })
    end
    server.on['workspace/executeCommand'] = function(_, reply) reply(vim.NIL) end]]):format(vim.inspect(items))
end

local function open(items, options)
  options = options or {}
  options.script = suggesting(items)
  return helpers.attached(options)
end

local tests = {}

function tests.a_suggestion_appears_behind_the_cursor()
  local child = open({ 'return 1' })
  child:keys('idef f(): ')
  child:wait_screen('def f(): return 1')
  child:expect_lines({ 'def f(): ' })
  child:stop()
end

function tests.several_lines_appear_below()
  local child = open({ '\n    a = 1\n    return a' })
  child:keys('idef f():')
  child:wait_screen('    return a')
  child:expect_screen({ 'def f():', '    a = 1', '    return a' })
  child:stop()
end

function tests.the_server_is_told_the_position_in_utf16()
  local child = open({ 'x' })
  child:keys('i# 😀é ')
  child:wait_screen('# 😀é x')
  local last = child:messages('textDocument/inlineCompletion')
  equal(last[#last].params.position, { line = 0, character = 6 })
  child:type('<Tab>')
  child:expect_lines({ '# 😀é x' })
  child:stop()
end

function tests.typing_through_keeps_the_suggestion_without_a_request()
  local child = open({ 'return 1' })
  child:keys('i')
  child:wait_screen('return 1')
  local before = #child:messages('textDocument/inlineCompletion')
  child:type('ret')
  child:expect_lines({ 'ret' })
  child:expect_screen({ 'return 1' })
  child:settle()
  equal(#child:messages('textDocument/inlineCompletion'), before)
  child:stop()
end

function tests.backspace_over_typed_text_brings_the_suggestion_back()
  local child = open({ 'return 1' })
  child:keys('i')
  child:wait_screen('return 1')
  local before = #child:messages('textDocument/inlineCompletion')
  child:type('ret<BS><BS>')
  child:expect_lines({ 'r' })
  child:expect_screen({ 'return 1' })
  child:settle()
  equal(#child:messages('textDocument/inlineCompletion'), before)
  child:stop()
end

function tests.a_key_that_does_not_fit_removes_the_suggestion_at_once()
  local child = helpers.attached({
    script = [[
      local asked = 0
      server.on['textDocument/inlineCompletion'] = function(params, reply)
        asked = asked + 1
        if asked == 1 then reply({ { insertText = 'return 1' } }) end
      end]],
  })
  child:keys('i')
  child:wait_screen('return 1')
  child:type('x')
  equal(child:lines(), { 'x' })
  equal(child:screen(), { 'x' })
  child:stop()
end

function tests.an_answer_for_an_older_text_is_not_shown()
  local child = helpers.attached({
    script = [[
      server.deaf = true
      local older = {}
      server.on['textDocument/inlineCompletion'] = function(params, reply)
        if not server.documents[params.textDocument.uri]:find('azz') then
          table.insert(older, reply)
          return
        end
        -- The answers to what was asked before come only now, and are no longer true.
        for _, answer in ipairs(older) do answer({ { insertText = 'stale' } }) end
        reply({ { insertText = ' fresh' } })
      end]],
  })
  child:keys('ia')
  child:wait_message('textDocument/inlineCompletion')
  child:keys('zz')
  child:expect_screen({ 'azz fresh' })
  child:settle()
  equal(child:screen(), { 'azz fresh' })
  child:stop()
end

function tests.a_newer_request_cancels_the_older_one()
  local child = helpers.attached({
    script = [[server.on['textDocument/inlineCompletion'] = function() end]],
  })
  child:keys('i')
  local first = child:wait_message('textDocument/inlineCompletion')
  child:keys('b')
  equal(child:wait_message('$/cancelRequest').params.id, first.id)
  child:wait_message('textDocument/inlineCompletion', 2)
  child:stop()
end

function tests.leaving_insert_mode_cancels_and_hides()
  local child = helpers.attached({
    script = [[server.on['textDocument/inlineCompletion'] = function() end]],
  })
  child:keys('ia')
  child:wait_message('textDocument/inlineCompletion')
  child:keys('<Esc>')
  child:wait_message('$/cancelRequest')
  child:expect_screen({ 'a' })
  child:stop()
end

function tests.no_suggestion_and_an_error_are_both_silent()
  for _, answer in ipairs({ 'reply(vim.NIL)', 'reply({ items = {} })', 'reply(nil, { code = -32603, message = "no" })' }) do
    local child = helpers.attached({
      script = ([[server.on['textDocument/inlineCompletion'] = function(_, reply) %s end]]):format(answer),
    })
    child:type('ia')
    child:wait_event('LacunaRequestFinished')
    child:settle()
    equal(child:screen(), { 'a' })
    equal(child:lua('return _G.told'), {})
    child:stop()
  end
end

function tests.accepting_is_an_undo_step_of_its_own()
  local child = open({ 'return 1\n' })
  child:keys('iif x: ')
  child:wait_screen('if x: return 1')
  child:type('<Tab>')
  child:expect_lines({ 'if x: return 1', '' })
  child:type('<Esc>u')
  child:expect_lines({ 'if x: ' })
  child:type('<C-r>')
  child:expect_lines({ 'if x: return 1', '' })
  child:stop()
end

function tests.the_command_of_an_accepted_item_is_sent()
  local child = open({ 'return 1' })
  child:keys('i')
  child:wait_screen('return 1')
  child:type('<Tab>')
  local sent = child:wait_message('workspace/executeCommand')
  equal(sent.params, { command = 'lacuna.didAccept', arguments = { 'return 1' } })
  child:wait_event('LacunaSuggestionAccepted')
  child:stop()
end

function tests.what_is_shown_is_told_to_the_server()
  local child = open({ 'return 1' })
  child:keys('i')
  child:wait_screen('return 1')
  equal(child:wait_message('textDocument/didShowCompletion').params.item.insertText, 'return 1')
  child:stop()
end

function tests.word_and_line_and_rest_give_the_same_text_as_all()
  local child = open({ 'a_b = c(1)\n    return "é😀"\nend' })
  child:keys('i')
  child:wait_screen('    return "é😀"')
  child:type('<M-w>')
  child:expect_lines({ 'a_b' })
  child:expect_screen({ 'a_b = c(1)', '    return "é😀"', 'end' })
  child:type('<M-w>')
  child:expect_lines({ 'a_b =' })
  child:type('<M-j>')
  child:expect_lines({ 'a_b = c(1)' })
  child:type('<M-j>')
  child:expect_lines({ 'a_b = c(1)', '    return "é😀"' })
  local told = child:wait_message('textDocument/didPartiallyAcceptCompletion', 4)
  equal(told.params.acceptedLength, 27) -- the emoji is two units
  child:type('<Tab>')
  child:expect_lines({ 'a_b = c(1)', '    return "é😀"', 'end' })
  child:stop()
end

function tests.alternatives_come_and_go()
  local child = open({ 'one', 'two', 'three' })
  child:keys('i')
  child:wait_screen('one')
  child:type('<M-]>')
  child:wait_screen('two 2/3')
  child:type('<M-]>')
  child:wait_screen('three 3/3')
  child:type('<M-[>')
  child:wait_screen('two 2/3')
  child:type('<Tab>')
  child:expect_lines({ 'two' })
  child:stop()
end

function tests.with_one_suggestion_the_server_is_asked_for_others()
  local child = open({ 'one' })
  child:keys('i')
  child:wait_screen('one')
  child:type('<M-]>')
  local request = helpers.wait_for(function()
    local all = child:messages('textDocument/inlineCompletion')
    return all[#all].params.context.triggerKind == 1 and all[#all]
  end, 'a request by hand')
  equal(request.params.context, { triggerKind = 1 })
  child:stop()
end

function tests.dismissing_hides_until_the_text_changes()
  local child = open({ 'one' })
  child:keys('i')
  child:wait_screen('one')
  child:type('<C-]>')
  child:expect_screen({})
  child:wait_event('LacunaSuggestionDismissed')
  child:keys('x ')
  child:wait_screen('x one')
  child:stop()
end

function tests.a_range_to_the_end_of_the_line_replaces_the_closing_bracket()
  local child = open({ { insertText = 'a, b)', range = 'line' } }, { lines = { 'f()' } })
  child:keys('f(a')
  child:wait_screen('f(a, b)')
  child:type('<Tab>')
  child:expect_lines({ 'f(a, b)' })
  child:expect('vim.api.nvim_win_get_cursor(0)', { 1, 7 })
  child:stop()
end

function tests.a_range_that_leaves_out_the_rest_of_the_line_shows_so()
  local child = open({ { insertText = 'a]', range = 'line' } }, { lines = { 'f(1234567)' } })
  child:keys('f(a')
  child:wait_screen('f(a]')
  child:type('<Tab>')
  child:expect_lines({ 'f(a]' })
  child:stop()
end

function tests.several_lines_within_a_line_move_its_end_down()
  local child = open({ '\n    a,\n' }, { lines = { 'f(xyz)' } })
  child:keys('f(a')
  child:wait_screen('    a,')
  child:expect_screen({ 'f(', '    a,', 'xyz)' })
  child:type('<Tab>')
  child:expect_lines({ 'f(', '    a,', 'xyz)' })
  child:stop()
end

function tests.an_item_for_another_line_is_not_shown()
  local child = helpers.attached({
    script = [[server.on['textDocument/inlineCompletion'] = function(params, reply)
      local place = { line = 5, character = 0 }
      reply({ { insertText = 'elsewhere', range = { start = place, ['end'] = place } } })
    end]],
  })
  child:type('ia')
  child:wait_event('LacunaRequestFinished')
  child:settle()
  equal(child:screen(), { 'a' })
  child:stop()
end

function tests.a_bracket_that_appears_behind_the_cursor_drops_the_suggestion()
  local child = open({ '(1)' }, { before = [[vim.keymap.set('i', '(', '()<Left>')]] })
  child:keys('if')
  child:wait_screen('f(1)')
  child:keys('(')
  child:wait_screen('f((1))')
  child:expect_lines({ 'f()' })
  child:stop()
end

function tests.windows_line_ends_stay()
  local child = open({ 'a\r\n    b' }, { lines = { 'if x:\r', '\r', '' }, binary = true })
  child:expect('vim.bo.fileformat', 'dos')
  child:keys('jA')
  child:wait_screen('    b')
  child:type('<Tab><Esc>:w<CR>')
  child:expect('vim.bo.modified', false)
  local handle = assert(io.open(child.file, 'rb'))
  equal(handle:read('*a'), 'if x:\r\na\r\n    b\r\n')
  handle:close()
  child:stop()
end

function tests.tab_without_a_suggestion_indents()
  local child = helpers.attached({
    script = [[server.on['textDocument/inlineCompletion'] = function(_, reply) reply(vim.NIL) end]],
  })
  child:type('i<Tab>x')
  equal(child:lines(), { '    x' })
  child:stop()
end

function tests.a_mapping_that_was_there_is_used_without_a_suggestion()
  for _, mapping in ipairs({
    [[vim.keymap.set('i', '<Tab>', 'mapped')]],
    [[vim.keymap.set('i', '<Tab>', function() return 'mapped' end, { expr = true })]],
    [[vim.keymap.set('i', '<Tab>', function() vim.api.nvim_put({ 'mapped' }, 'c', false, true) end)]],
    [[vim.api.nvim_create_autocmd('BufEnter', { callback = function()
        vim.keymap.set('i', '<Tab>', 'mapped', { buffer = true }) end })]],
  }) do
    local child = helpers.attached({
      before = mapping,
      script = [[server.on['textDocument/inlineCompletion'] = function(_, reply) reply(vim.NIL) end]],
    })
    child:keys('i<Tab>')
    helpers.eventually(function()
      return child:lines()
    end, { 'mapped' }, mapping)
    child:stop()
  end
end

function tests.with_the_menu_open_nothing_is_drawn_and_tab_belongs_to_the_menu()
  local child = open({ 'one' }, { lines = { 'alpha', 'albert', '' } })
  child:keys('Gial')
  child:wait_screen('alone')
  child:keys('<C-x><C-n>')
  child:expect('vim.fn.pumvisible()', 1, 'the menu')
  child:expect('require("lacuna").visible()', false)
  child:keys('<Tab>')
  child:expect('vim.fn.pumvisible()', 0, 'the end of the menu')
  equal(child:lines()[3]:find('one', 1, true), nil)
  child:stop()
end

function tests.every_key_can_be_changed_or_left_out()
  local child = open({ 'one' }, { setup = [[{ keys = { accept = '<M-l>', dismiss = false } }]] })
  child:keys('i')
  child:wait_screen('one')
  child:expect([[vim.fn.maparg('<C-]>', 'i')]], '')
  equal(child:lua([[return vim.fn.maparg('<Tab>', 'i', false, true).desc or '']]):find('lacuna'), nil)
  child:type('<M-l>')
  child:expect_lines({ 'one' })
  child:stop()
end

function tests.by_key_only_means_no_request_while_typing()
  local child = open({ 'one' }, { setup = [[{ auto_trigger = false }]] })
  child:type('ia ')
  child:settle()
  equal(child:messages('textDocument/inlineCompletion'), {})
  child:keys('<M-\\>')
  child:wait_screen('a one')
  child:stop()
end

function tests.own_mappings_can_use_the_functions()
  local child = open({ 'one' }, {
    setup = [[{ keys = { accept = false } }]],
    before = [[vim.keymap.set('i', '<C-l>', function()
      return require('lacuna').accept() and '' or 'none' end, { expr = true })]],
  })
  child:keys('i')
  child:wait_screen('one')
  child:type('<C-l>')
  child:expect_lines({ 'one' })
  child:stop()
end

function tests.neovims_own_inline_completion_does_not_draw_as_well()
  if vim.fn.has('nvim-0.12') == 0 then
    return 'needs Neovim 0.12'
  end
  local child = open({ 'one' }, { before = 'vim.lsp.inline_completion.enable(true)' })
  child:keys('ia ')
  child:wait_screen('a one')
  vim.wait(400) -- Neovim itself would ask after 200 ms
  child:settle()
  equal(child:screen(), { 'a one' })
  child:stop()
end

function tests.builtin_draws_and_accepts()
  if vim.fn.has('nvim-0.12') == 0 then
    return 'needs Neovim 0.12'
  end
  local child = open({ 'one two\nthree', 'other' }, { setup = [[{ inline = 'builtin' }]] })
  child:keys('ia ')
  child:wait_screen('a one two')
  child:type('<M-]>')
  child:wait_screen('a other (2/2)')
  child:type('<M-[>')
  child:wait_screen('a one two')
  child:keys('<M-w>')
  child:expect_lines({ 'a one' })
  child:wait_screen('a oneone two')
  child:keys('<Tab>')
  child:expect_lines({ 'a oneone two', 'three' })
  child:type('<Esc>u')
  child:expect_lines({ 'a one' })
  child:stop()
end

function tests.builtin_is_drawn_by_the_plugin_before_0_12()
  if vim.fn.has('nvim-0.12') == 1 then
    return 'needs a Neovim before 0.12'
  end
  local child = open({ 'one' }, { setup = [[{ inline = 'builtin' }]] })
  child:keys('ia ')
  child:wait_screen('a one')
  child:expect('#_G.told', 1)
  child:stop()
end

return tests
