-- MSE cloud-native gateway: the annotations of ingress-nginx (under its own prefix as well), and some of its own for
-- query parameters, request headers and the subset of a Service. One condition of an Ingress counts (header before
-- query parameter before cookie); a weight beside it divides the other requests.
local canary_ingress = require("canary_ingress")
local envoy_pattern = require("envoy_pattern")
local quote = require("quote")

local SUBSET = "mse.ingress.kubernetes.io/service-subset"

local annotations = canary_ingress.annotations(obj, {
  gateway = "MSE",
  prefixes = { "mse.ingress.kubernetes.io/" },
  plain = "^[%w_%-~/: ]+$",
  exact_pattern = quote.re2,
  pattern = envoy_pattern,
  cookie_name = "^[%w_%-]+$",
  query = "mse.ingress.kubernetes.io/",
  header_control = "mse.ingress.kubernetes.io/",
  weight_beside = true,
})
if annotations[SUBSET] then
  annotations[SUBSET] = "gray"
end
return annotations
