-- ingress-nginx. Its balancer asks for the header, then the cookie, then the weight of one canary Ingress, so one of
-- each may stand together: a request goes to the canary when any of them says so.
-- Its annotation validator drops a value with other characters in silence, which would leave a condition that nobody
-- wrote: hence the character sets here (canary-by-header-value takes letters, digits and -._~/: and spaces;
-- canary-by-header-pattern the same without spaces, and ^$[](){}*+?|&=\).
local canary_ingress = require("canary_ingress")
local quote = require("quote")

local function pattern(text)
  local bad = string.match(text, "[^%w%-%._~/:%^%$%[%]%(%){}%*%+%?|&=\\]")
  if bad then
    return nil, string.format(
      "ingress-nginx does not take the character %q in a pattern; write \\x%02x for it", bad, string.byte(bad))
  end
  return text
end

return canary_ingress.annotations(obj, {
  gateway = "ingress-nginx",
  prefixes = {},
  plain = "^[%w%-%._~/: ]+$",
  exact_pattern = quote.pcre,
  pattern = pattern,
  cookie_name = "^[%w%-%._~]+$",
  alternatives = true,
  weight_beside = true,
})
