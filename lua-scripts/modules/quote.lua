-- One quoting function for each rule language that a value of a Rollout can end up in. What a language cannot hold
-- gives nil and the reason; the caller says which condition it was.
local quote = {}

-- RE2 (Envoy, Go): the text that matches exactly `text`.
function quote.re2(text)
  return (string.gsub(text, "[%^%$%(%)%.%[%]%*%+%?{}|\\]", "\\%0"))
end

-- PCRE inside an ingress-nginx annotation, whose validator only lets letters, digits and -._~/:^$[](){}*+?|&=\ through:
-- every other byte is written as \xHH.
function quote.pcre(text)
  return (string.gsub(text, "[^%w_~/:%-]", function(byte)
    return string.format("\\x%02x", string.byte(byte))
  end))
end

-- A JSON string, quotes included. Bytes above 127 are UTF-8 already and stay.
function quote.json(text)
  local escaped = string.gsub(text, '[%c"\\\127]', function(char)
    return string.format("\\u%04x", string.byte(char))
  end)
  return '"' .. escaped .. '"'
end

-- `name value`, one header on each line (MSE, Higress): the value ends at the line's end and loses spaces around it.
function quote.header_line(name, value)
  if string.find(value, "%c") then
    return nil, "a control character cannot stand in a header line"
  end
  if value == "" or string.find(value, "^ ") or string.find(value, " $") then
    return nil, "an empty value, or spaces at its ends, would be lost in a header line"
  end
  return name .. " " .. value
end

local STAYS_OUT_OF_CLASS = { D = "[^\\d;]", W = "[^\\w;]", S = "[^\\s;]" }
local SEMICOLON = string.byte(";")
local CLASSES_WITHOUT_SEMICOLON = {
  alnum = true, alpha = true, blank = true, cntrl = true, digit = true,
  lower = true, space = true, upper = true, word = true, xdigit = true,
}

-- Copies a character class that starts at `start`; a negated one must not match the semicolon either.
local function character_class(pattern, start)
  local position = start + 1
  local negated = string.sub(pattern, position, position) == "^"
  if negated then
    position = position + 1
  end
  local first = position
  while true do
    local char = string.sub(pattern, position, position)
    if char == "" then
      return nil, "its character class does not end"
    elseif char == "]" and position > first then
      break
    elseif char == "[" and string.sub(pattern, position, position + 1) == "[:" then
      local _, last, name = string.find(pattern, "^%[:(%a+):%]", position)
      if not name or not CLASSES_WITHOUT_SEMICOLON[name] then
        return nil, "its character class may hold a semicolon"
      end
      position = last + 1
    else
      local width = 1
      if char == "\\" then
        char = string.sub(pattern, position + 1, position + 1)
        width = 2
        if string.find(char, "[DWSpPx0-9;]") and not negated then
          return nil, "its character class may hold a semicolon"
        end
      elseif char == ";" and not negated then
        return nil, "a semicolon ends a cookie's value"
      end
      local after = position + width
      if string.sub(pattern, after, after) == "-" and string.sub(pattern, after + 1, after + 1) ~= "]" then
        local high = string.sub(pattern, after + 1, after + 1)
        if not negated and string.byte(char) <= SEMICOLON and string.byte(high .. "\0") >= SEMICOLON then
          return nil, "its range " .. char .. "-" .. high .. " holds the semicolon"
        end
      end
      position = after
    end
  end
  local body = string.sub(pattern, first, position)
  return "[" .. (negated and "^;" or "") .. body, position
end

-- Rewrites an RE2 pattern that must match a whole cookie value so that it can stand in the middle of a pattern for the
-- Cookie header: it never matches beyond a semicolon, and loses the anchors that only repeat "whole".
local function inside_cookie(pattern)
  local out, position, depth = {}, 1, 0
  while position <= #pattern do
    local char = string.sub(pattern, position, position)
    local piece = char
    if char == "\\" then
      local escaped = string.sub(pattern, position + 1, position + 1)
      if string.find(escaped, "^[AzZQECpPx0-9;]?$") then
        return nil, "\\" .. escaped .. " cannot be used in the pattern of a cookie"
      end
      piece = STAYS_OUT_OF_CLASS[escaped] or ("\\" .. escaped)
      position = position + 1
    elseif char == "[" then
      local class, last = character_class(pattern, position)
      if not class then
        return nil, last
      end
      piece, position = class, last
    elseif char == "." then
      piece = "[^;]"
    elseif char == ";" then
      return nil, "a semicolon ends a cookie's value"
    elseif char == "(" then
      depth = depth + 1
    elseif char == ")" then
      depth = depth - 1
    elseif char == "^" then
      local before = string.sub(pattern, position - 1, position - 1)
      if depth > 0 or not (position == 1 or before == "|") then
        return nil, "^ may only stand where the pattern or an alternative begins"
      end
      piece = ""
    elseif char == "$" then
      local after = string.sub(pattern, position + 1, position + 1)
      if depth > 0 or not (after == "" or after == "|") then
        return nil, "$ may only stand where the pattern or an alternative ends"
      end
      piece = ""
    end
    out[#out + 1] = piece
    position = position + 1
  end
  return "(?:" .. table.concat(out) .. ")"
end

-- `name=value` for the pattern of a Cookie header; type is Exact or RegularExpression (of the whole value).
local function cookie_pair(name, type, value)
  local pattern, reason
  if type == "RegularExpression" then
    pattern, reason = inside_cookie(value)
  elseif string.find(value, "[%c;]") then
    reason = "a cookie's value cannot hold a semicolon or a control character"
  else
    pattern = quote.re2(value)
  end
  if not pattern then
    return nil, reason
  end
  return quote.re2(name) .. "=" .. pattern
end

-- An RE2 pattern for the whole Cookie header (Envoy matches headers in full, others search: the anchors serve both)
-- that holds when any of the cookies, given as {type, name, value}, is there.
function quote.cookie_header(cookies)
  local pairs_of = {}
  for i = 1, #cookies do
    local pair, reason = cookie_pair(cookies[i].name, cookies[i].type, cookies[i].value)
    if not pair then
      return nil, reason
    end
    pairs_of[i] = pair
  end
  local one = table.concat(pairs_of, "|")
  if #cookies > 1 then
    one = "(?:" .. one .. ")"
  end
  return "^(.*;\\s*)?" .. one .. "(;.*)?$"
end

return quote
