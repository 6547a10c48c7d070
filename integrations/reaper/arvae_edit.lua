-- arvae for REAPER: edits the melody of each selected MIDI item, and adds the result as a new take of the item.
--
-- Install: Actions > Show action list > New action > Load ReaScript, and choose this file. Select MIDI items and run the
-- action. It asks for sliders and options as on the command line, such as  --density +2notes --bars 1-4  and for the
-- command that starts arvae, and remembers both. The first take stays as it was, and Ctrl+Z removes the new one.
--
-- The notes go to arvae from the barline before the item, with the project's time signatures and tempi, so that
-- measures are those of the project, and measure 1 is the one in which the item begins.

local SECTION, TITLE = "arvae", "arvae"
local TICKS = 960 -- in a quarter note
local TIMEOUT = 120000 -- milliseconds

local function number(value) -- a number of variable length, as MIDI files have them
  local bytes = string.char(value & 0x7F)
  value = value >> 7
  while value > 0 do
    bytes = string.char(value & 0x7F | 0x80) .. bytes
    value = value >> 7
  end
  return bytes
end

local function meta(kind, data)
  return string.char(0xFF, kind) .. number(#data) .. data
end

-- A MIDI file of one track. events: {tick, order, bytes}; lower orders come first on one tick.
local function midi_file(events, last)
  table.sort(events, function(a, b)
    if a[1] ~= b[1] then return a[1] < b[1] end
    return a[2] < b[2]
  end)
  local parts, now = {}, 0
  for _, event in ipairs(events) do
    parts[#parts + 1] = number(event[1] - now) .. event[3]
    now = event[1]
  end
  parts[#parts + 1] = number(math.max(0, last - now)) .. meta(0x2F, "")
  local track = table.concat(parts)
  return "MThd" .. string.pack(">I4I2I2I2", 6, 0, 1, TICKS) .. "MTrk" .. string.pack(">I4", #track) .. track
end

local function power_of_two(denominator)
  local power = 0
  while 2 ^ power < denominator do power = power + 1 end
  return power
end

-- The notes of a take inside its item, as a MIDI file that begins at a barline. Returns nil without notes, otherwise
-- the file and the time of the barline in seconds.
local function export(item, take)
  local from = reaper.GetMediaItemInfo_Value(item, "D_POSITION")
  local to = from + reaper.GetMediaItemInfo_Value(item, "D_LENGTH")
  local first, last = reaper.TimeMap2_timeToQN(0, from), reaper.TimeMap2_timeToQN(0, to)
  local _, measure = reaper.TimeMap2_timeToBeats(0, from)
  local barline, zero = reaper.TimeMap_GetMeasureInfo(0, measure)
  local events, count = {}, 0
  local function tick(quarters) return math.floor((quarters - zero) * TICKS + 0.5) end

  local signature, pace
  while true do -- the measures under the item
    local time, start, stop, numerator, denominator = reaper.TimeMap_GetMeasureInfo(0, measure)
    if start >= last - 1e-6 or stop <= start then break end
    if signature ~= numerator .. "/" .. denominator then
      signature = numerator .. "/" .. denominator
      events[#events + 1] = { tick(start), 0, meta(0x58, string.char(numerator, power_of_two(denominator), 24, 8)) }
    end
    -- Not the tempo that REAPER tells: it may change within the measure, or count eighths.
    local tempo = math.floor(1e6 * (reaper.TimeMap2_QNToTime(0, stop) - time) / (stop - start) + 0.5)
    if pace ~= tempo then
      pace = tempo
      events[#events + 1] = { tick(start), 0, meta(0x51, string.pack(">I3", tempo)) }
    end
    measure = measure + 1
  end

  local _, notes = reaper.MIDI_CountEvts(take)
  for i = 0, notes - 1 do
    local _, _, muted, begin, finish, channel, pitch, velocity = reaper.MIDI_GetNote(take, i)
    local on, off = reaper.MIDI_GetProjQNFromPPQPos(take, begin), reaper.MIDI_GetProjQNFromPPQPos(take, finish)
    if not muted and on > first - 1e-6 and on < last - 1e-6 then
      off = math.min(off, last)
      events[#events + 1] = { tick(on), 2, string.char(0x90 | channel, pitch, velocity) }
      events[#events + 1] = { math.max(tick(off), tick(on) + 1), 1, string.char(0x80 | channel, pitch, 0) }
      count = count + 1
    end
  end
  if count == 0 then return nil end
  return midi_file(events, tick(last)), barline
end

local function write(path, data)
  local file, problem = io.open(path, "wb")
  if not file then return nil, problem end
  file:write(data)
  file:close()
  return true
end

local function quoted(path) return '"' .. path .. '"' end

-- Edits one item. Returns an error message, or nil.
local function edit(item, command, options, n)
  local take = reaper.GetActiveTake(item)
  if not take or not reaper.TakeIsMIDI(take) then return "A selected item holds no MIDI." end
  local data, barline = export(item, take)
  if not data then return "A selected item has no notes." end
  local base = string.format("%s/arvae-%s-%d", reaper.GetProjectPath(""), os.date("%Y%m%d-%H%M%S"), n)
  local source, result = base .. ".mid", base .. ".edited.mid"
  local written, problem = write(source, data)
  if not written then return "Cannot write the notes: " .. problem end
  local program = reaper.file_exists(command) and quoted(command) or command -- a path may have spaces
  local line = string.format("%s edit %s %s -o %s --overwrite", program, quoted(source), options, quoted(result))
  local answer = reaper.ExecProcess(line, TIMEOUT)
  os.remove(source)
  if not answer then return "arvae did not start, or took too long:\n" .. line end
  local code, output = answer:match("^(%-?%d+)\n?(.*)$")
  if code ~= "0" or not reaper.file_exists(result) then
    local reason = (output and output ~= "") and output or "Run this line in a terminal to see why:\n" .. line
    return "arvae made no edit.\n" .. reason
  end
  local new = reaper.AddTakeToMediaItem(item)
  reaper.SetMediaItemTake_Source(new, reaper.PCM_Source_CreateFromFile(result))
  local offset = reaper.GetMediaItemInfo_Value(item, "D_POSITION") - barline
  reaper.SetMediaItemTakeInfo_Value(new, "D_STARTOFFS", offset)
  reaper.GetSetMediaItemTakeInfo_String(new, "P_NAME", "arvae " .. options, true)
  reaper.SetActiveTake(new)
  reaper.UpdateItemInProject(item)
  return nil
end

local function remembered(name, default)
  local value = reaper.GetExtState(SECTION, name)
  return value ~= "" and value or default
end

local function main()
  local items = {}
  for i = 0, reaper.CountSelectedMediaItems(0) - 1 do items[#items + 1] = reaper.GetSelectedMediaItem(0, i) end
  if #items == 0 then
    reaper.ShowMessageBox("Select one or more MIDI items first.", TITLE, 0)
    return
  end
  local fields = "Sliders and options:,Command of arvae:,extrawidth=260,separator=\n"
  local defaults = remembered("options", "--density +1notes") .. "\n" .. remembered("command", "arvae")
  local ok, answers = reaper.GetUserInputs(TITLE, 2, fields, defaults)
  if not ok then return end
  local options, command = answers:match("^(.-)\n(.*)$")
  reaper.SetExtState(SECTION, "options", options, true)
  reaper.SetExtState(SECTION, "command", command, true)

  local problems = {}
  reaper.Undo_BeginBlock()
  for n, item in ipairs(items) do problems[#problems + 1] = edit(item, command, options, n) end
  reaper.Undo_EndBlock("arvae " .. options, -1)
  reaper.UpdateArrange()
  if #problems > 0 then reaper.ShowMessageBox(table.concat(problems, "\n"), TITLE, 0) end
end

main()
