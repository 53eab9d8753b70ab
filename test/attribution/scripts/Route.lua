-- OpenShift Route: the weight of the stable backend, and a second backend that the user's object does not have.
local spec = obj.data.spec
if spec.to.name == obj.stableService and obj.canaryWeight >= 0 then
  spec.to.weight = obj.stableWeight
  local backends = spec.alternateBackends or {}
  table.insert(backends, { kind = "Service", name = obj.canaryService, weight = obj.canaryWeight })
  spec.alternateBackends = backends
end
return obj.data
