-- Higress: the annotations of ingress-nginx, with its own for query parameters and request headers.
-- Its controller puts canary-by-header-value and the cookie's name into a regular expression as they are, and takes
-- only the first of header, cookie and weight that an Ingress has.
local canary_ingress = require("canary_ingress")
local envoy_pattern = require("envoy_pattern")
local quote = require("quote")

return canary_ingress.annotations(obj, {
  gateway = "Higress",
  prefixes = { "higress.io/", "higress.ingress.kubernetes.io/" },
  plain = "^[%w_%-~/: ]+$",
  exact_pattern = quote.re2,
  pattern = envoy_pattern,
  cookie_name = "^[%w_%-]+$",
  query = "higress.ingress.kubernetes.io/",
  header_control = "higress.io/",
})
