// expect: sending 'model' risks causing data races
import CoreML

actor Holder {
  var model: MLModel?
  func keep(_ model: MLModel) { self.model = model }
}

func share(_ model: MLModel, _ holder: Holder) async { await holder.keep(model) }
