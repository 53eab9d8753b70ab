-- AWS ALB: everything is in annotations, some of which the user's object has and some of which it has not.
local data = obj.data
data.annotations = data.annotations or {}
local prefix = "alb.ingress.kubernetes.io/"
if obj.canaryWeight >= 0 then
  data.annotations[prefix .. "actions." .. obj.stableService] = json.encode({ canary = obj.canaryWeight, stable = obj.stableWeight })
end
if obj.matches then
  data.annotations[prefix .. "conditions.canary"] = json.encode({ field = "http-header" })
  table.insert(data.spec.rules[1].http.paths, 1, {
    path = "/",
    pathType = "Prefix",
    backend = { service = { name = "canary", port = { name = "use-annotation" } } },
  })
end
return data
