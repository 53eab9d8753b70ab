-- Any object: adds keys to maps, elements to lists, a label, an annotation, and takes one of the user's keys away.
local data = obj.data
data.spec.canary = { service = obj.canaryService, weight = obj.canaryWeight }
data.spec.takenAway = nil
if type(data.spec.list) == "table" then
  table.insert(data.spec.list, 1, { service = obj.canaryService })
end
data.labels = data.labels or {}
data.labels.canary = "true"
data.annotations = data.annotations or {}
data.annotations["example.com/canary"] = tostring(obj.canaryWeight)
return data
