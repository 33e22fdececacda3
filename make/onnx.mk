# The extra for ONNX: writing it, and checking what was written.
.PHONY: onnx
onnx: $(RUN) requirements/onnx.txt ## what `millrace export-model --format onnx` needs
	$(INSTALL) $(VENV) --require-hashes -r requirements/onnx.txt
